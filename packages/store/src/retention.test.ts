import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { openStore, type Store } from './store.ts';
import type { StoreTables } from './store-module.ts';
import { testBackends } from './testing/databases.ts';
import { ManualClock, unhurried } from './testing/manual-clock.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

const patience = { timeout: 60_000, interval: 5 };

async function lead(store: Pick<Store, 'outbox' | 'isLeader'>): Promise<void> {
  store.outbox.start({ publish: () => Promise.resolve() });
  await vi.waitFor(() => expect(store.isLeader()).toBe(true), patience);
}

describe.each(testBackends)('retention on $name', (backend) => {
  test('deletes in batches until nothing is left, at its interval', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store = await openStore<StoreTables>({ url: database.url, clock, ...unhurried });
    await lead(store);
    const names = Array.from({ length: 25 }, (_, index) => ({ name: `n${index}`, value: '' }));
    await store.transaction((trx) => trx.insertInto('store_state').values(names).execute());
    const batches: number[] = [];
    store.retention.add<StoreTables>({
      name: 'states',
      everyMs: 60_000,
      batchRows: 10,
      async deleteBatch(trx, { now, limit }) {
        expect(now).toBe(clock.now());
        const { rows } = await sql`delete from store_state where name in (
          select name from store_state where name like 'n%' limit ${limit}) returning name`.execute(
          trx,
        );
        batches.push(rows.length);
        return rows.length;
      },
    });
    clock.advance(59_999);
    expect(store.retention.states[0]).toMatchObject({ runs: 0 });
    clock.advance(1);
    await vi.waitFor(() => {
      clock.advance(10);
      expect(store.retention.states).toMatchObject([{ name: 'states', runs: 1, deleted: 25 }]);
    }, patience);
    expect(batches).toEqual([10, 10, 5]);
  });

  test('a job with a long interval runs soon after the start, then at its interval', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store = await openStore({ url: database.url, clock, ...unhurried });
    await lead(store);
    store.retention.add({
      name: 'hourly',
      everyMs: 3_600_000,
      deleteBatch: () => Promise.resolve(0),
    });
    const runs = async (count: number): Promise<void> => {
      await vi.waitFor(() => expect(store.retention.states[0]?.runs).toBe(count), patience);
    };
    clock.advance(60_000);
    await runs(1);
    clock.advance(3_599_999);
    await runs(1);
    clock.advance(60_000);
    await runs(2);
  });

  test('a job that fails says so, and runs again', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const problems: string[] = [];
    await using store = await openStore({
      url: database.url,
      clock,
      onProblem: ({ message }) => problems.push(message),
    });
    await lead(store);
    store.retention.add({
      name: 'broken',
      everyMs: 1000,
      deleteBatch: (trx) => sql<{ n: number }>`select n from nowhere`.execute(trx).then(() => 0),
    });
    for (const run of [1, 2]) {
      clock.advance(1000);
      await vi.waitFor(() => expect(store.retention.states[0]?.runs).toBe(run), patience);
    }
    expect(problems).toEqual(['retention of broken failed', 'retention of broken failed']);
    expect(store.retention.states[0]?.lastError).toMatchObject({ code: 'store_query_failed' });
  });
});
