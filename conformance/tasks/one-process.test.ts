import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { startRunningTime } from '../running-time.ts';
import { leaseMs } from './kinds.ts';
import { patience, startNode, watch } from './watcher.ts';

const weekMs = 7 * 86_400_000;

/** One server at a time, as SQLite has it; PostgreSQL must not be worse. */
describe.each(testBackends)('a server on $name', (backend) => {
  test.each(['hold', 'mute'])(
    'is killed in the middle, before or after a heartbeat (%s): the next start goes on',
    async (kind) => {
      await using database = await backend.create();
      const first = await startNode(database.url, 'first', '0', `${kind},request-${kind}`);
      await first.waitFor(/^start .* 1$/);
      await first.kill();
      await using second = await startNode(database.url, 'second', '0', kind);
      await second.waitFor(/^start .* 2$/);
      expect(second.lines.filter((line) => line.startsWith('start'))).toHaveLength(1);
    },
  );

  test('is killed between its commit and its publication: both are kept, and no worker is told', async () => {
    await using database = await backend.create();
    // It never starts its outbox, so that nothing of it was published.
    const requester = await startNode(database.url, 'requester', '0', 'request-echo', '"killed"');
    await requester.kill();
    let id = '';
    {
      await using watcher = await watch(database.url);
      const [task] = await watcher.tasks.list();
      expect(task).toMatchObject({ status: 'waiting_for_worker', reason: 'no_worker_ever' });
      id = task?.id ?? '';
      await vi.waitFor(
        () => expect(watcher.published.map(({ channel }) => channel)).toContain(`task:${id}`),
        patience,
      );
      expect(watcher.tasks.problems().join()).toMatch(/kind echo wait.*none was ever seen/);
    }
    await using worker = await startNode(database.url, 'worker', '0', 'echo,request-echo', '2');
    await worker.waitFor(/^echoed 2$/);
    await worker.waitFor(/^echoed "killed"$/);
    expect(worker.lines.filter((line) => line.startsWith('echoed'))).toHaveLength(2);
  });

  test('is blocked by a handler beyond its lease: the handler is told, the task is done again', async () => {
    await using database = await backend.create();
    const work = 'block,request-block';
    await using node = await startNode(database.url, 'node', '0', work, String(2 * leaseMs));
    await node.waitFor(/^start .* 2$/);
    await node.waitFor(/^stop .* lease_lost$/);
    await node.waitFor(/^done 2$/);
    expect(node.lines.filter((line) => line.startsWith('start'))).toHaveLength(2);
  });

  test('is given a thousand megabytes of output: bounded, the rest is refused', async () => {
    await using database = await backend.create();
    const node = await startNode(database.url, 'node', '0', 'flood,request-flood', '1000000000');
    await node.waitFor(/^flooded /);
    const [, refused, megabytes] = node.lines
      .find((line) => line.startsWith('flooded'))!
      .split(' ');
    expect(Number(refused)).toBeGreaterThan(900);
    expect(Number(megabytes)).toBeLessThan(400);
    await node.kill();
    await using watcher = await watch(database.url);
    const [task] = await watcher.tasks.list();
    expect(task!.output.bytes).toBeLessThanOrEqual(100_000);
  });

  test('a child that is lost for good ends the wait of its parent', async () => {
    await using database = await backend.create();
    const watcher = await watch(database.url);
    const batch = await watcher.tasks.batch([
      { kind: 'hold', attempts: 1 },
      { kind: 'flood', payload: 0 },
    ]);
    await watcher[Symbol.asyncDispose]();
    const node = await startNode(database.url, 'node', '0', 'hold,flood');
    await node.waitFor(/^start/);
    await node.waitFor(/^flooded/);
    await node.kill();
    const sinceKill = await startRunningTime();
    await using second = await watch(database.url);
    // Perhaps it was killed before it could say that this was done.
    second.tasks.handle('flood', () => Promise.resolve());
    await vi.waitFor(
      async () =>
        expect(await second.tasks.get(batch.id)).toMatchObject({
          status: 'partial',
          reason: 'some_children_failed',
          children: { total: 2, open: 0, failed: 1 },
        }),
      patience,
    );
    expect(sinceKill.elapsedMs).toBeLessThan(leaseMs + 3000);
    expect(await second.tasks.get(batch.children[0]!.id)).toMatchObject({
      status: 'failed',
      reason: 'lease_expired',
    });
  });

  test('finds a stale row and a failed one of last week: neither blocks', async () => {
    await using database = await backend.create();
    {
      const now = (): number => Date.now() - weekMs;
      await using lastWeek = await watch(database.url, { now });
      const { tasks } = lastWeek;
      await tasks.noteWorker({ id: 'gone', kinds: ['joined'] });
      await tasks.request({ kind: 'joined' });
      const [failed] = await tasks.claim({ kinds: ['joined'], worker: 'gone' });
      await tasks.fail(failed!, { message: 'no', isRetryable: false });
      await tasks.request({ kind: 'joined' });
      expect(await tasks.claim({ kinds: ['joined'], worker: 'gone' })).toHaveLength(1);
      expect((await tasks.list()).map(({ status }) => status)).toEqual(['running', 'failed']);
    }
    await using node = await startNode(database.url, 'node', '0', 'joined,request-joined');
    await node.waitFor(/^start/);
  });

  test('has ten thousand tasks of one owner beside one of another: nobody waits for all', async () => {
    await using database = await backend.create();
    const watcher = await watch(database.url);
    for (let count = 0; count < 10_000; count += 1000) {
      await watcher.tasks.requestAll(
        Array.from({ length: 1000 }, () => ({ kind: 'echo', owner: 'many' })),
      );
    }
    const { id } = await watcher.tasks.request({ kind: 'echo', owner: 'few', payload: 'few' });
    await watcher[Symbol.asyncDispose]();
    const node = await startNode(database.url, 'node', '0', 'echo');
    await node.waitFor(/^echoed "few"$/);
    await node.kill();
    await using second = await watch(database.url);
    const { startedAt } = await second.tasks.get(id);
    const before = await second.store.read((db) =>
      db
        .selectFrom('tasks')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('first_started_at', '<', startedAt)
        .executeTakeFirstOrThrow(),
    );
    expect(before.count).toBeLessThan(100);
  });
});
