import { createHub, type Broker, type Hub, type HubOptions, type MapBroker } from '@holdfast/hub';
import {
  createLinkedNodes,
  createMemoryNetwork,
  describeBroker,
  describeMapBroker,
  type LinkedTestbed,
  type MemoryNode,
} from '@holdfast/hub/testing';
import { openStore, type Store, type StoreOptions } from '@holdfast/store';
import { ManualClock, testBackends, type TestBackend } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { cleanUpJob } from './clean-up.ts';
import { journalModule, partTables, type JournalTables } from './journal-module.ts';
import { createStoreJournals } from './store-journals.ts';

const sqlite = testBackends.find(({ name }) => name === 'SQLite') as TestBackend;

function openKeptStore(options: StoreOptions): Promise<Store<JournalTables>> {
  return openStore<JournalTables>({ ...options, modules: [journalModule] });
}

/** The brokers of nodes in one process, all of whose channels are kept in a file. */
async function createTestbed<Port extends Broker | MapBroker>(
  portOf: (node: MemoryNode) => Port,
): Promise<LinkedTestbed<Port>> {
  const database = await sqlite.create();
  const clock = new ManualClock();
  const store = await openKeptStore({ url: database.url, clock });
  const journals = createStoreJournals(store, { node: 'node' });
  const isDurable = (): boolean => true;
  return createLinkedNodes({
    network: createMemoryNetwork({
      clock,
      streams: { journal: journals.streams, isDurable },
      maps: { journal: journals.maps, isDurable },
    }),
    portOf,
    advance: (ms) => clock.advance(ms),
    async end() {
      await store.close();
      await database[Symbol.asyncDispose]();
    },
  });
}

describeBroker('MemoryBroker kept in SQLite', () => createTestbed<Broker>(({ broker }) => broker));
describeMapBroker('MemoryMapBroker kept in SQLite', () =>
  createTestbed<MapBroker>(({ maps }) => maps),
);

const channel = {
  withoutNamespace: { historySize: 10, historyTtlMs: 60_000, historyDurable: true },
} as const;

interface Life {
  readonly store: Store<JournalTables>;
  readonly hub: Hub;
  end(): Promise<void>;
}

async function begin(options: StoreOptions, more: HubOptions = {}): Promise<Life> {
  const store = await openKeptStore(options);
  const hub = createHub({ journals: createStoreJournals(store, { node: 'a' }), channel, ...more });
  await hub.start();
  return {
    store,
    hub,
    async end() {
      await hub.shutdown({ timeoutMs: 0 });
      await store.close();
    },
  };
}

describe('a hub whose disk is full', () => {
  test('refuses publishes and says so, uses no offset up, and goes on when there is room', async () => {
    await using database = await sqlite.create();
    const life = await begin({ url: database.url, sqlite: { maxPages: 120 } });
    const { hub, store } = life;
    const big = 'x'.repeat(30_000);
    await store.transaction(async (transaction) => {
      await sql`create table filler (number integer, text text)`.execute(transaction);
    });
    const write = (size: number): Promise<boolean> =>
      store
        .transaction((transaction) =>
          sql`insert into filler values (1, ${'x'.repeat(size)})`.execute(transaction),
        )
        .then(
          () => true,
          () => false,
        );
    const fill = async (): Promise<void> => {
      for (let size = 65_536; size >= 1; size /= 2) while (await write(size));
    };
    const first = await hub.publish('news', 'first');
    await fill();
    const publishes = Array.from({ length: 20 }, () => hub.publish('news', big));
    for (const result of await Promise.allSettled(publishes)) {
      expect(result).toMatchObject({ reason: { code: 100, temporary: true } });
    }
    await expect(hub.publish('news', big)).rejects.toMatchObject({ code: 100 });
    expect(hub.metrics.journal.failures).toBe(2);
    expect(hub.concerns()).toEqual([expect.stringContaining('cannot be kept')]);
    expect(hub.problems()).toEqual([]);
    const { publications, position } = await hub.history('news', { limit: -1 });
    expect(position).toEqual(first.position);
    expect(publications).toHaveLength(1);
    await store.transaction(async (transaction) => {
      await sql`delete from filler`.execute(transaction);
    });
    const next = await hub.publish('news', 'goes on');
    expect(next.position).toEqual({ ...first.position, offset: 2 });
    expect(hub.concerns()).toEqual([]);
    await life.end();
    const second = await begin({ url: database.url });
    const page = await second.hub.history('news', { limit: -1 });
    expect(page.position).toEqual(next.position);
    expect(page.publications).toHaveLength(2);
    expect(await second.store.integrityCheck()).toEqual([]);
    await second.end();
  });
});

describe.each(testBackends)('a hub kept in $name', (backend) => {
  test('goes on where it stood after a change of its configuration, and never goes back', async () => {
    await using database = await backend.create();
    const options = { url: database.url };
    const plain = { withoutNamespace: { ...channel.withoutNamespace, historyDurable: false } };
    let life = await begin(options);
    const first = await life.hub.publish('news', 1);
    await life.end();
    // No longer durable: what was kept goes on as what is written at the end.
    life = await begin(options, { channel: plain });
    const second = await life.hub.publish('news', 2);
    expect(second.position).toEqual({ epoch: first.position?.epoch, offset: 2 });
    expect(
      await life.store.read((db) =>
        db.selectFrom('journal_channels').selectAll().where('keep_until', '>', 0).execute(),
      ),
    ).toEqual([]);
    // It dies without writing anything.
    await life.store.close();
    life = await begin(options);
    const third = await life.hub.publish('news', 3);
    expect(third.position?.offset).toBe(1);
    expect(third.position?.epoch).not.toBe(first.position?.epoch);
    await life.end();
    // Written at the end of a life in which it was not durable, taken over by one in which it is.
    life = await begin(options, { channel: plain });
    const fourth = await life.hub.publish('news', 4);
    expect(fourth.position).toEqual({ epoch: third.position?.epoch, offset: 2 });
    await life.end();
    life = await begin(options);
    await life.store.close();
    life = await begin(options);
    const page = await life.hub.history('news', { limit: -1 });
    expect(page.position).toEqual(fourth.position);
    expect(page.publications).toHaveLength(2);
    await life.end();
  });

  test('says who has taken its channels over', async () => {
    await using database = await backend.create();
    const store = await openKeptStore({ url: database.url });
    const errors: unknown[] = [];
    const logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields: object) => errors.push(fields),
    };
    const hubs = ['a', 'b', 'a'].map((node) =>
      createHub({ journals: createStoreJournals(store, { node }), channel, logger }),
    );
    const [first, other, second] = hubs as [Hub, Hub, Hub];
    await first.start();
    await other.start();
    const { position } = await first.publish('news', 1);
    expect((await other.publish('news', 1)).position?.epoch).not.toBe(position?.epoch);
    await second.start();
    await expect(first.publish('news', 2)).rejects.toMatchObject({ code: 100 });
    expect(first.concerns()).toHaveLength(1);
    expect(errors).toMatchObject([
      { err: { message: expect.stringContaining('node.name') as string } },
    ]);
    expect((await second.publish('news', 2)).position).toEqual({ ...position, offset: 2 });
    for (const hub of hubs) await hub.shutdown({ timeoutMs: 0 });
    await store.close();
  });

  test('leaves nothing behind when its channels have expired', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const short = { historySize: 10, historyTtlMs: 1000, historyMetaTtlMs: 5000 };
    const life = await begin(
      { url: database.url, clock },
      {
        clock,
        channel: {
          withoutNamespace: { ...short, historyDurable: true },
          namespaces: [{ name: 'plain', ...short }],
        },
      },
    );
    const { hub, store } = life;
    const job = cleanUpJob(store.dialect);
    const clean = (cleaned = store): Promise<number> =>
      cleaned.transaction((transaction) =>
        job.deleteBatch(transaction, { now: clock.now(), limit: 100 }),
      );
    const rowsOf = async (
      table: (typeof partTables)[number] | 'journal_channels',
      read = store,
    ): Promise<number | undefined> => {
      const { rows } = await read.read((db) =>
        sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(db),
      );
      return rows[0]?.count;
    };
    for (let number = 0; number < 5; number += 1) {
      await hub.publish(`news${number}`, number, { idempotencyKey: 'k' });
      await hub.publish(`plain:${number}`, number);
    }
    clock.advance(2000);
    await clean();
    expect(await rowsOf('journal_publications')).toBe(0);
    expect(await rowsOf('journal_channels')).toBe(5);
    const again = await hub.publish('news0', 'again');
    expect(again.position?.offset).toBe(2);
    clock.advance(400_000);
    await clean();
    for (const table of [...partTables, 'journal_channels'] as const) {
      expect(await rowsOf(table)).toBe(0);
    }
    await hub.publish('plain:0', 1);
    await life.end();
    const next = await begin(
      { url: database.url, clock },
      { clock, channel: { ...channel, namespaces: [{ name: 'plain', ...short }] } },
    );
    expect(next.hub.metrics.journal.restoredChannels).toBe(1);
    expect(await clean(next.store)).toBe(1);
    await next.hub.publish('kept', 1);
    expect(await rowsOf('journal_channels', next.store)).toBe(1);
    expect(await clean(next.store)).toBe(0);
    // Channels of a journal that is no more.
    await next.store.transaction((transaction) => sql`delete from journals`.execute(transaction));
    expect(await clean(next.store)).toBe(1);
    expect(await rowsOf('journal_publications', next.store)).toBe(0);
    await next.end();
  });
});
