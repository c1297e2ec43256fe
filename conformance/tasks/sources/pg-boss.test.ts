import path from 'node:path';
import { testBackends } from '@holdfast/store/testing';
import { pgBossSource, type PgBossJob } from '@holdfast/tasks/pg-boss';
import { Pool } from 'pg';
import { PgBoss } from 'pg-boss';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../../child.ts';
import { expectFollowing, expectTasks, follow } from './followed.ts';

const limits = { pollMs: 50, reconcileMs: 300 };
/** Of the test in which somebody falls silent; in the others a busy machine must not look like that. */
const shortLeaseMs = 2000;
const longLeaseMs = 60_000;
const queue = 'emails';
const [, postgres] = testBackends;

/** pg-boss on a database of its own, with a pool of one connection for those who watch. */
async function openBoss() {
  const database = await postgres!.create();
  const boss = new PgBoss({
    connectionString: database.url,
    superviseIntervalSeconds: 1,
    maintenanceIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
  });
  boss.on('error', () => {});
  await boss.start();
  const pool = new Pool({ connectionString: database.url, max: 1 });
  pool.on('error', () => {});
  onTestFinished(async () => {
    await boss.stop({ graceful: false });
    await pool.end();
    await database[Symbol.asyncDispose]();
  });
  return {
    url: database.url,
    boss,
    source: (leaseMs = longLeaseMs) => pgBossSource({ queue, database: pool, leaseMs, ...limits }),
    pool,
  };
}

describe.each(testBackends)('jobs of pg-boss on $name', (backend) => {
  test('are tasks from the beginning to the end, whatever that is', async () => {
    await using database = await backend.create();
    const { boss, pool } = await openBoss();
    await boss.createQueue(queue, { retryLimit: 1, retryDelay: 1 });
    const owner = ({ data }: PgBossJob): string => (data as { user?: string } | null)?.user ?? '';
    const progress = ({ data }: PgBossJob) => ({ fraction: (data as { done: number }).done });
    await using followed = await follow(
      database.url,
      pgBossSource({ queue, database: pool, owner, progress, leaseMs: longLeaseMs, ...limits }),
    );
    const { tasks } = followed;
    const good = await boss.send(queue, { user: 'eve', done: 0 });
    await expectTasks(followed, [{ status: 'pending', owner: 'eve', maxAttempts: 2 }]);
    const gate = Promise.withResolvers<void>();
    const options = { pollingIntervalSeconds: 0.5, batchSize: 1 };
    await boss.work<{ bad?: boolean }>(queue, options, async ([job]) => {
      if (job?.data.bad === true) throw new Error('no');
      await gate.promise;
      return { sent: 1 };
    });
    await expectTasks(followed, [{ status: 'running', attempt: 1 }]);
    await pool.query(`update pgboss.job set data = data || '{"done":0.4}' where id = $1`, [good]);
    await expectTasks(followed, [{ status: 'running', progress: 0.4 }]);
    gate.resolve();
    await expectTasks(followed, [{ status: 'completed', source: `pg-boss:${queue}` }]);
    const [first] = await tasks.list();
    expect(await tasks.get(first!.id)).toMatchObject({ result: { sent: 1 } });
    await boss.send(queue, { bad: true });
    await expectTasks(followed, [
      {},
      { status: 'failed', reason: 'error', error: 'no', attempt: 2, maxAttempts: 2 },
    ]);
    const later = await boss.send(queue, {}, { startAfter: 60 });
    await expectTasks(followed, [{}, {}, { status: 'pending' }]);
    await boss.cancel(queue, later!);
    await expectTasks(followed, [{}, {}, { status: 'cancelled' }]);
    const deleted = await boss.send(queue, {}, { startAfter: 60 });
    await expectTasks(followed, [{}, {}, {}, { status: 'pending' }]);
    await boss.deleteJob(queue, deleted!);
    await expectTasks(followed, [{}, {}, {}, { status: 'cancelled', reason: 'removed' }]);
  });
});

test('a worker of pg-boss is killed: lost when its heart stops, retried when pg-boss notices', async () => {
  await using database = await testBackends[0]!.create();
  const { url, boss, source } = await openBoss();
  await boss.createQueue(queue, { heartbeatSeconds: 10, retryLimit: 2 });
  await using followed = await follow(database.url, source(shortLeaseMs));
  await boss.send(queue, {});
  const doomed = startChild(path.join(import.meta.dirname, 'pg-boss-worker.ts'), [url, queue]);
  await doomed.waitFor(/^start/);
  await expectTasks(followed, [{ status: 'running', attempt: 1 }]);
  await doomed.kill();
  await vi.waitFor(
    async () => expect((await followed.tasks.list())[0]).toMatchObject({ status: 'retrying' }),
    { timeout: 60_000, interval: 50 },
  );
  await boss.work(queue, { pollingIntervalSeconds: 0.5 }, () => Promise.resolve('second'));
  await expectTasks(followed, [{ status: 'completed', attempt: 2 }]);
  expect(await followed.changes()).toHaveLength(1);
});

test('what pg-boss did while nobody followed is caught up with, each job once', async () => {
  await using database = await testBackends[0]!.create();
  const { boss, source } = await openBoss();
  await boss.createQueue(queue, { retryLimit: 0 });
  const options = { pollingIntervalSeconds: 0.5, batchSize: 100 };
  await boss.work<{ n: number }>(queue, options, () => Promise.resolve());
  const add = () =>
    boss.insert(
      queue,
      Array.from({ length: 100 }, (_, n) => ({ data: { n } })),
    );
  for (let round = 0; round < 3; round += 1) {
    {
      await using followed = await follow(database.url, source());
      await expectFollowing(followed);
      await add();
    }
    await add();
  }
  await using followed = await follow(database.url, source());
  await vi.waitFor(
    async () => {
      const counts = await followed.store.read((db) =>
        db
          .selectFrom('tasks')
          .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
          .groupBy('state')
          .execute(),
      );
      expect(counts).toEqual([{ state: 'completed', count: 600 }]);
    },
    { timeout: 60_000, interval: 200 },
  );
  for (const changes of await followed.changes()) {
    expect(changes).toMatch(/^(pending )?(started )?completed$/);
  }
});
