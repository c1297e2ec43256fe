import { createHub, type ChannelRecord } from '@holdfast/hub';
import { describeChannelJournal } from '@holdfast/hub/testing';
import { openStore, type Store } from '@holdfast/store';
import { ManualClock, testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { cleanUpJob } from './clean-up.ts';
import { journalModule, type JournalTables } from './journal-module.ts';
import { StoreJournal } from './store-journal.ts';

for (const backend of testBackends) {
  describeChannelJournal(`StoreJournal on ${backend.name}`, async () => {
    const database = await backend.create();
    const clock = new ManualClock();
    const store: Store<JournalTables> = await openStore({
      url: database.url,
      modules: [journalModule],
      clock,
    });
    return {
      now: () => clock.now(),
      async addNode() {
        return new StoreJournal(store, { name: 'node' });
      },
      async advance(ms) {
        clock.advance(ms);
      },
      async [Symbol.asyncDispose]() {
        await store.close();
        await database[Symbol.asyncDispose]();
      },
    };
  });
}

describe.each(testBackends)('a long stream on $name', (backend) => {
  test('is read a part at a time, so that others have their turn, and not at all when it is cleaned up meanwhile', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store: Store<JournalTables> = await openStore({
      url: database.url,
      modules: [journalModule],
      clock,
    });
    const read = store.read.bind(store);
    const journal = new StoreJournal(store, { name: 'node' });
    await journal.open();
    const top = 9000;
    const nothing = { entries: [], results: [], removedKeys: [] };
    const oldest = 1001;
    for (const [channel, first] of [
      ['short', top - 10],
      ['long', oldest],
      ['other', top],
    ] as const) {
      const expireAt = clock.now() + (channel === 'long' ? 1000 : 60_000);
      await journal.commit([
        {
          ...nothing,
          channel,
          startsOver: true,
          stream: {
            epoch: channel,
            top,
            oldest: first,
            version: 0,
            versionEpoch: '',
            expireAt,
            forgetAt: clock.now() + 600_000,
          },
          publications: Array.from({ length: top - first + 1 }, (_, index) => ({
            offset: first + index,
            data: Buffer.from(`${first + index}`),
          })),
          keepUntil: clock.now() + 600_000,
        },
      ]);
    }
    const lengthsOf = (records: readonly ChannelRecord[]): object =>
      Object.fromEntries(records.map((record) => [record.channel, record.publications.length]));
    const long = top - oldest + 1;
    const all = ['short', 'long', 'other'];
    const records = await journal.load(all);
    expect(lengthsOf(records)).toEqual({ short: 11, long, other: 1 });
    const found = records.find(({ channel }) => channel === 'long');
    expect(found?.publications.map(({ offset }) => offset)).toEqual(
      Array.from({ length: long }, (_, index) => oldest + index),
    );

    let turns = 0;
    let isLoading = true;
    const takeTurns = (): void => {
      turns += 1;
      if (isLoading) setImmediate(takeTurns);
    };
    setImmediate(takeTurns);
    let reads = 0;
    let cleaned = 0;
    vi.spyOn(store, 'read').mockImplementation(async (work) => {
      reads += 1;
      if (reads === 3) {
        clock.advance(2000);
        const job = cleanUpJob(store.dialect);
        const now = clock.now();
        cleaned = await store.transaction((transaction) =>
          job.deleteBatch(transaction, { now, limit: 100 }),
        );
      }
      return read(work);
    });
    const loaded = await journal.load(all);
    isLoading = false;
    expect(cleaned).toBe(1);
    expect(reads).toBeGreaterThan(3);
    expect(turns).toBeGreaterThan(4);
    expect(lengthsOf(loaded)).toEqual({ short: 11, long: 0, other: 1 });
    await journal.close();
  });
});

test('where commits get lost with the power, streams begin anew after a start of the machine, and keys of maps stay', async () => {
  const [backend] = testBackends;
  await using database = (await backend?.create()) as AsyncDisposable & { readonly url: string };
  const kept = { historySize: 10, historyTtlMs: 60_000, historyDurable: true };
  const live = async (boot: string | undefined): Promise<readonly unknown[]> => {
    await using store = await openStore<JournalTables>({
      url: database.url,
      modules: [journalModule],
    });
    const journal = (name: string): StoreJournal =>
      new StoreJournal(store, { name, ...(boot !== undefined && { boot }) });
    const hub = createHub({
      journals: { streams: journal('streams'), maps: journal('maps') },
      channel: {
        withoutNamespace: kept,
        namespaces: [
          { name: 'plain', ...kept, historyDurable: false },
          {
            name: 'map',
            subscriptionType: 'map',
            historyDurable: true,
            map: { mode: 'persistent' },
          },
        ],
      },
    });
    await hub.start();
    const { position } = await hub.publish('news', 1);
    const plain = await hub.publish('plain:news', 1);
    await hub.publishMap('map:a', { key: `key ${boot}`, data: 1 });
    const { entries, position: map } = await hub.readMapState('map:a');
    await hub.shutdown({ timeoutMs: 0 });
    return [position?.offset, plain.position?.offset, map?.offset, entries.length];
  };
  expect(await live('first')).toEqual([1, 1, 1, 1]);
  expect(await live('first')).toEqual([2, 2, 2, 1]);
  expect(await live('second')).toEqual([1, 1, 1, 2]);
  // Written with nothing to lose from now on, but what was there may have lost something.
  expect(await live(undefined)).toEqual([1, 1, 1, 3]);
  expect(await live(undefined)).toEqual([2, 2, 2, 3]);
  expect(await live('third')).toEqual([3, 3, 3, 4]);
});
