import Database from 'better-sqlite3';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { StoreError } from './errors.ts';
import type { DiscardedEvents, OutboxRelayOptions } from './outbox-relay-options.ts';
import { openStore, type Store, type StoreOptions } from './store.ts';
import type { StoreTables } from './store-module.ts';
import { testBackends, type TestDatabase } from './testing/databases.ts';
import { ManualClock, unhurried } from './testing/manual-clock.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

interface Published {
  readonly channel: string;
  readonly data: unknown;
  readonly key: string;
}

/** A broker that remembers what it was given, and drops repeated keys as the real ones do. */
class FakeBroker {
  readonly published: Published[] = [];
  readonly keys = new Set<string>();
  calls = 0;
  /** Throws to refuse. */
  before: (channel: string, data: unknown) => void | Promise<void> = () => {};

  readonly publish: OutboxRelayOptions['publish'] = async (channel, bytes, { idempotencyKey }) => {
    this.calls += 1;
    const data: unknown = JSON.parse(Buffer.from(bytes).toString());
    await this.before(channel, data);
    if (this.keys.has(idempotencyKey)) return;
    this.keys.add(idempotencyKey);
    this.published.push({ channel, data, key: idempotencyKey });
  };

  of(channel: string): readonly unknown[] {
    return this.published.filter((event) => event.channel === channel).map(({ data }) => data);
  }
}

function open(database: TestDatabase, options: Partial<StoreOptions> = {}) {
  return openStore<StoreTables>({ url: database.url, ...unhurried, ...options });
}

function append(store: Store<StoreTables>, channel: string, ...data: unknown[]): Promise<void> {
  return store.transaction(async (trx) => {
    for (const one of data) store.outbox.append(trx, { channel, data: one });
    // A transaction takes a moment, so that concurrent ones overlap.
    await sql`select 1`.execute(trx);
  });
}

function waitingRows(store: Store<StoreTables>): Promise<number> {
  return store.read(async (db) => (await db.selectFrom('outbox').select('seq').execute()).length);
}

const patience = { timeout: 60_000, interval: 5 };

describe.each(testBackends)('the outbox on $name', (backend) => {
  test('is drained before a stop: all is published, or it is said that it is not', async () => {
    await using database = await backend.create();
    await using store = await open(database);
    const broker = new FakeBroker();
    let isAway = true;
    broker.before = () => {
      if (isAway) throw new Error('away');
    };
    expect(await store.outbox.drain(0)).toBe(true);
    store.outbox.start({ publish: broker.publish });
    // Of several processes only the leader publishes, and has anything to drain.
    await vi.waitFor(() => expect(store.isLeader()).toBe(true), patience);
    await append(store, 'a', 1, 2, 3);
    expect(await store.outbox.drain(50)).toBe(false);
    isAway = false;
    expect(await store.outbox.drain(20_000)).toBe(true);
    expect(broker.of('a')).toEqual([1, 2, 3]);
  });

  test('publishes what was committed, in order, and nothing that was rolled back', async () => {
    await using database = await backend.create();
    await using store = await open(database);
    const broker = new FakeBroker();
    store.outbox.start({ publish: broker.publish });
    await append(store, 'a', 1, 2, 3);
    const failed = store.transaction((trx) => {
      store.outbox.append(trx, { channel: 'a', data: 'never' });
      return Promise.reject(new Error('no'));
    });
    await expect(failed).rejects.toThrow('no');
    await append(store, 'a', { text: 'Ä\u0000' });
    await vi.waitFor(
      () => expect(broker.of('a')).toEqual([1, 2, 3, { text: 'Ä\u0000' }]),
      patience,
    );
    await vi.waitFor(async () => expect(await waitingRows(store)).toBe(0), patience);
    expect(store.metrics.outbox).toMatchObject({ appended: 4, published: 4, failures: 0 });
    expect(broker.published[0]?.key).toMatch(/^outbox:[0-9a-f-]{36}$/);
  });

  test('an event that has the number of one that a failover lost is published all the same', async () => {
    await using database = await backend.create();
    await using store = await open(database);
    const broker = new FakeBroker();
    const failedOver = Promise.withResolvers<void>();
    broker.before = (channel) => (channel === 'lost' ? failedOver.promise : undefined);
    store.outbox.start({ publish: broker.publish });
    await append(store, 'lost', 1);
    await vi.waitFor(() => expect(broker.calls).toBe(1), patience);
    // What a standby that missed the last moments looks like.
    const id = store.ids.next();
    await store.transaction((trx) =>
      trx.updateTable('outbox').set({ id, channel: 'new' }).execute(),
    );
    failedOver.resolve();
    await vi.waitFor(() => expect(broker.of('new')).toEqual([1]), patience);
    expect(broker.of('lost')).toEqual([1]);
    await vi.waitFor(async () => expect(await waitingRows(store)).toBe(0), patience);
  });

  test('publishes at the next start what was left over', async () => {
    await using database = await backend.create();
    {
      await using store = await open(database);
      await append(store, 'a', 1, 2);
    }
    await using store = await open(database);
    const broker = new FakeBroker();
    store.outbox.start({ publish: broker.publish });
    await vi.waitFor(() => expect(broker.of('a')).toEqual([1, 2]), patience);
  });

  test('keeps commit order within a channel under concurrent transactions', async () => {
    await using database = await backend.create();
    await using store = await open(database);
    await store.transaction((trx) =>
      trx.insertInto('store_state').values({ name: 'count', value: '0' }).execute(),
    );
    const broker = new FakeBroker();
    store.outbox.start({ publish: broker.publish });
    // Each transaction reads and raises one number under a row lock and tells it. It appends before
    // it has the row, which is the harder case.
    const raise = (): Promise<void> =>
      store.transaction(async (trx) => {
        const told = { value: 0 };
        store.outbox.append(trx, { channel: `other${told.value % 2}`, data: null });
        const { value } = await trx
          .updateTable('store_state')
          .set({ value: sql`cast(cast(value as integer) + 1 as text)` })
          .where('name', '=', 'count')
          .returning('value')
          .executeTakeFirstOrThrow();
        store.outbox.append(trx, { channel: 'count', data: Number(value) });
      });
    await Promise.all(Array.from({ length: 200 }, raise));
    const expected = Array.from({ length: 200 }, (_, index) => index + 1);
    await vi.waitFor(() => expect(broker.of('count')).toHaveLength(200), patience);
    expect(broker.of('count')).toEqual(expected);
  });

  test('a channel that fails waits and keeps its order, others go on', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store = await open(database, { clock, random: () => 0 });
    const broker = new FakeBroker();
    let isDown = true;
    broker.before = (channel) => {
      if (channel === 'sick' && isDown) throw new Error('broker away');
    };
    const problems: string[] = [];
    store.outbox.start({
      publish: broker.publish,
      onProblem: ({ message }) => problems.push(message),
    });
    await append(store, 'sick', 1, 2);
    await vi.waitFor(() => expect(store.metrics.outbox.failures).toBe(1), patience);
    await append(store, 'well', 'x');
    await append(store, 'sick', 3);
    await vi.waitFor(() => expect(broker.of('well')).toEqual(['x']), patience);
    expect(broker.of('sick')).toEqual([]);
    expect(store.metrics.outbox.blockedChannels).toBe(1);
    clock.advance(1000);
    await vi.waitFor(() => expect(store.metrics.outbox.failures).toBe(2), patience);
    await vi.waitFor(() => {
      clock.advance(1000);
      expect(store.metrics.outbox.waiting).toBe(3);
    }, patience);
    expect(store.metrics.outbox.oldestMs).toBeGreaterThanOrEqual(1000);
    isDown = false;
    await vi.waitFor(() => {
      clock.advance(1000);
      expect(broker.of('sick')).toEqual([1, 2, 3]);
    }, patience);
    await vi.waitFor(() => {
      clock.advance(1000);
      expect(store.metrics.outbox).toMatchObject({ waiting: 0, oldestMs: 0, blockedChannels: 0 });
    }, patience);
    expect(problems).toEqual(['publishing to sick failed']);
  });

  test('an event that the broker refuses for good becomes a dead letter, the next one follows', async () => {
    await using database = await backend.create();
    await using store = await open(database);
    const broker = new FakeBroker();
    broker.before = (_channel, data) => {
      if (data === 'poison') {
        throw Object.assign(new Error('unknown channel'), { temporary: false });
      }
    };
    const discarded: DiscardedEvents[] = [];
    store.outbox.start({
      publish: broker.publish,
      onDiscarded: (event) => discarded.push(event),
    });
    await append(store, 'a', 1, 'poison', 2);
    await vi.waitFor(async () => expect(await waitingRows(store)).toBe(0), patience);
    expect(broker.of('a')).toEqual([1, 2]);
    expect(discarded).toMatchObject([{ reason: 'rejected', channels: ['a'], count: 1 }]);
    const dead = await store.read((db) => db.selectFrom('outbox_dead').selectAll().execute());
    expect(dead).toMatchObject([
      { channel: 'a', data: '"poison"', reason: 'Error: unknown channel' },
    ]);
    expect(store.metrics.outbox.rejected).toBe(1);
  });

  test('a broker that does not answer is asked again with the same key', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store = await open(database, { clock, random: () => 0 });
    const broker = new FakeBroker();
    const keys: string[] = [];
    store.outbox.start({
      publish: async (channel, data, options) => {
        keys.push(options.idempotencyKey);
        await broker.publish(channel, data, options);
        // The first answer never comes, though the event was taken.
        if (keys.length === 1) await new Promise(() => {});
      },
    });
    await append(store, 'a', 1);
    await vi.waitFor(() => expect(keys).toHaveLength(1), patience);
    clock.advance(10_000);
    await vi.waitFor(() => expect(store.metrics.outbox.failures).toBe(1), patience);
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await waitingRows(store)).toBe(0);
    }, patience);
    expect(new Set(keys).size).toBe(1);
    expect(broker.of('a')).toEqual([1]);
  });

  test('drops the oldest when there are too many, and what is too old', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store = await open(database, { clock });
    const discarded: DiscardedEvents[] = [];
    for (let index = 0; index < 5; index += 1) await append(store, `c${index}`, index);
    store.outbox.start({
      publish: () => Promise.reject(new Error('away')),
      maxWaiting: 3,
      maxAgeMs: 60_000,
      onDiscarded: (event) => discarded.push(event),
    });
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await waitingRows(store)).toBe(3);
    }, patience);
    expect(discarded).toEqual([{ reason: 'count', channels: ['c0', 'c1'], count: 2 }]);
    clock.advance(70_000);
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await waitingRows(store)).toBe(0);
    }, patience);
    expect(discarded.slice(1)).toEqual([{ reason: 'age', channels: ['c2', 'c3', 'c4'], count: 3 }]);
    expect(store.metrics.outbox.discarded).toBe(5);
  });

  test('refuses what cannot be an event', async () => {
    await using database = await backend.create();
    await using store = await open(database, { maxEventBytes: 20 });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const data of [undefined, () => 1, 1n, circular, 'x'.repeat(20)]) {
      const refused = append(store, 'a', data);
      await expect(refused).rejects.toMatchObject({ code: 'store_bad_value' });
    }
    let leaked: Parameters<Parameters<typeof store.transaction>[0]>[0] | undefined;
    await store.transaction((trx) => {
      leaked = trx;
      return Promise.resolve();
    });
    expect(() => store.outbox.append(leaked!, { channel: 'a', data: 1 })).toThrow(StoreError);
    await store.read((db) => {
      expect(() => store.outbox.append(db, { channel: 'a', data: 1 })).toThrow(StoreError);
      return Promise.resolve();
    });
    expect(await waitingRows(store)).toBe(0);
  });

  test('ten thousand events on a thousand channels', async () => {
    await using database = await backend.create();
    await using store = await open(database);
    const broker = new FakeBroker();
    store.outbox.start({ publish: broker.publish });
    await Promise.all(
      Array.from({ length: 1000 }, (_, channel) =>
        append(store, `c${channel}`, ...Array.from({ length: 10 }, (_, index) => index)),
      ),
    );
    await vi.waitFor(async () => expect(await waitingRows(store)).toBe(0), {
      timeout: 60_000,
      interval: 50,
    });
    expect(broker.calls).toBe(10_000);
    for (let channel = 0; channel < 1000; channel += 1) {
      expect(broker.of(`c${channel}`)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });
});

test('a database that fails while channels wait for it together holds up nothing but them', async () => {
  await using database = await testBackends[0]!.create();
  await using store = await open(database, { sqlite: { lockTimeoutMs: 50 } });
  const broker = new FakeBroker();
  const locked = Promise.withResolvers<void>();
  broker.before = () => locked.promise;
  const problems: string[] = [];
  store.outbox.start({
    publish: broker.publish,
    onProblem: ({ message }) => problems.push(message),
  });
  const channels = ['a', 'b', 'c', 'd'];
  await Promise.all(channels.map((channel) => append(store, channel, 1)));
  await vi.waitFor(() => expect(broker.calls).toBe(channels.length), patience);
  const stranger = new Database(database.url.slice('sqlite:'.length));
  stranger.exec('begin immediate');
  locked.resolve();
  // Reached by a timer only, which a process that is kept busy never comes to.
  await vi.waitFor(
    () => expect(problems).toContain('published events cannot be deleted'),
    patience,
  );
  stranger.exec('commit');
  stranger.close();
  await vi.waitFor(async () => expect(await waitingRows(store)).toBe(0), patience);
  expect(broker.calls).toBe(channels.length);
});

describe('several nodes on PostgreSQL', () => {
  const postgres = testBackends[1]!;

  test('one of them publishes, woken by the others, and another takes over', async () => {
    await using database = await postgres.create();
    const broker = new FakeBroker();
    const clock = new ManualClock();
    const first = await open(database, { clock });
    first.outbox.start({ publish: broker.publish });
    await vi.waitFor(() => {
      clock.advance(100);
      expect(first.isLeader()).toBe(true);
    }, patience);
    await using second = await open(database);
    second.outbox.start({ publish: broker.publish });
    expect(second.isLeader()).toBe(false);
    await append(second, 'a', 1);
    // Its clock stands still, so that it does not look by itself: the notification arrived.
    await vi.waitFor(() => expect(broker.of('a')).toEqual([1]), patience);
    expect(first.metrics.outbox.published).toBe(1);
    await first.close();
    await append(second, 'a', 2);
    await vi.waitFor(() => expect(broker.of('a')).toEqual([1, 2]), patience);
    expect(second.isLeader()).toBe(true);
    expect(second.metrics.outbox.published).toBe(1);
  });

  test('a process that never starts its outbox does not lead, nor one that has closed it', async () => {
    await using database = await postgres.create();
    const broker = new FakeBroker();
    await using bystander = await open(database);
    await using first = await open(database);
    await using second = await open(database);
    first.outbox.start({ publish: broker.publish });
    await append(bystander, 'a', 1);
    await vi.waitFor(() => expect(broker.of('a')).toEqual([1]), patience);
    await first.outbox.close();
    second.outbox.start({ publish: broker.publish });
    await append(bystander, 'a', 2);
    await vi.waitFor(() => expect(broker.of('a')).toEqual([1, 2]), patience);
    const leaders = [bystander, first, second].map((store) => store.isLeader());
    expect(leaders).toEqual([false, false, true]);
  });

  test('order within a channel holds across nodes', async () => {
    await using database = await postgres.create();
    const broker = new FakeBroker();
    await using first = await open(database);
    await using second = await open(database);
    for (const store of [first, second]) store.outbox.start({ publish: broker.publish });
    await first.transaction((trx) =>
      trx.insertInto('store_state').values({ name: 'count', value: '0' }).execute(),
    );
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => {
        const store = index % 2 === 0 ? first : second;
        return store.transaction(async (trx) => {
          const { value } = await trx
            .updateTable('store_state')
            .set({ value: sql`cast(cast(value as integer) + 1 as text)` })
            .where('name', '=', 'count')
            .returning('value')
            .executeTakeFirstOrThrow();
          store.outbox.append(trx, { channel: 'count', data: Number(value) });
        });
      }),
    );
    await vi.waitFor(() => expect(broker.of('count')).toHaveLength(300), patience);
    expect(broker.of('count')).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    expect(broker.calls).toBe(300);
  });
});
