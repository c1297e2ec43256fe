import { createHub } from '@holdfast/hub';
import { describeChannelJournal } from '@holdfast/hub/testing';
import { openStore, type Store } from '@holdfast/store';
import { ManualClock, testBackends } from '@holdfast/store/testing';
import { expect, test } from 'vitest';
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
