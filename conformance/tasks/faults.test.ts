import path from 'node:path';
import { openStore } from '@holdfast/store';
import { testBackends, type TestDatabase } from '@holdfast/store/testing';
import { createTasks, taskModule, type Tasks, type TaskTables } from '@holdfast/tasks';
import { describe, expect, test, vi } from 'vitest';
import { startChild, type Child } from '../child.ts';
import { kinds, leaseMs } from './kinds.ts';

const patience = { timeout: 20_000, interval: 20 };
const script = path.join(import.meta.dirname, 'node.ts');

interface Watcher extends AsyncDisposable {
  readonly tasks: Tasks;
  readonly published: { channel: string; data: { changes?: readonly string[] } }[];
}

/** A server that watches, sweeps and publishes, and works on nothing. */
async function watch(database: TestDatabase): Promise<Watcher> {
  const store = await openStore<TaskTables>({ url: database.url, modules: [taskModule] });
  const tasks = await createTasks({ store, kinds, sweepMs: 200, pollMs: 50 });
  const published: Watcher['published'] = [];
  store.outbox.start({
    publish: (channel, data) => {
      published.push({ channel, data: JSON.parse(Buffer.from(data).toString()) as object });
      return Promise.resolve();
    },
  });
  await tasks.start();
  return {
    tasks,
    published,
    async [Symbol.asyncDispose]() {
      await tasks.close();
      expect(await store.integrityCheck()).toEqual([]);
      await store.close();
    },
  };
}

async function startNode(...args: readonly string[]): Promise<Child & AsyncDisposable> {
  const child = startChild(script, args);
  await child.waitFor(/^ready$/);
  return { ...child, [Symbol.asyncDispose]: () => child.kill() };
}

const [sqlite, postgres] = testBackends;

describe('two processes on PostgreSQL', () => {
  test('a worker is killed in the middle: retrying is on screen within lease + 1 s, and another goes on', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database);
    const { tasks, published } = watcher;
    const first = await startNode(database.url, 'first', '0', 'hold');
    const { id } = await tasks.request({ kind: 'hold' });
    await first.waitFor(/^start/);
    const killedAt = performance.now();
    await first.kill();
    await vi.waitFor(
      () =>
        expect(
          published.some(
            ({ channel, data }) => channel === `task:${id}` && data.changes?.includes('retrying'),
          ),
        ).toBe(true),
      patience,
    );
    expect(performance.now() - killedAt).toBeLessThan(leaseMs + 1000);
    await using second = await startNode(database.url, 'second', '0', 'hold');
    await second.waitFor(/^start .* 2$/);
    expect(await tasks.get(id)).toMatchObject({ status: 'running', attempt: 2 });
    await tasks.cancel(id);
    await second.waitFor(/^stop .* cancelled$/);
    await vi.waitFor(async () => expect((await tasks.get(id)).isOver).toBe(true), patience);
  });

  test('a worker is stopped for twice the lease: it is told, and what it writes is refused', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database);
    const { tasks } = watcher;
    await using zombie = await startNode(database.url, 'zombie', '0', 'hold');
    const { id } = await tasks.request({ kind: 'hold' });
    await zombie.waitFor(/^start/);
    zombie.process.kill('SIGSTOP');
    await using other = await startNode(database.url, 'other', '0', 'hold');
    const stoppedAt = performance.now();
    await other.waitFor(/^start .* 2$/);
    await vi.waitFor(
      () => expect(performance.now() - stoppedAt).toBeGreaterThan(2 * leaseMs),
      patience,
    );
    zombie.process.kill('SIGCONT');
    await zombie.waitFor(new RegExp(`^stop ${id} lease_lost$`));
    await zombie.waitFor(new RegExp(`^wrote ${id} task_fenced$`));
    expect(await tasks.get(id)).toMatchObject({ status: 'running', attempt: 2, result: null });
  });

  test('children that finish in the same instant on two processes end their parent once', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database);
    const { tasks, published } = watcher;
    await using one = await startNode(database.url, 'one', '0', 'leaf');
    await using two = await startNode(database.url, 'two', '0', 'leaf');
    const at = Date.now() + 2000;
    const batch = await tasks.batch(
      Array.from({ length: 24 }, () => ({ kind: 'leaf', payload: at })),
    );
    await vi.waitFor(
      async () => expect(await tasks.get(batch.id)).toMatchObject({ status: 'completed' }),
      patience,
    );
    const results = await Promise.all(batch.children.map(({ id }) => tasks.get(id)));
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(['one', 'two']));
    expect([one, two].every(({ process }) => process.exitCode === null)).toBe(true);
    await vi.waitFor(() => {
      const ends = published.filter(
        ({ channel, data }) =>
          channel === `task:${batch.id}` && data.changes?.includes('completed'),
      );
      expect(ends).toHaveLength(1);
    }, patience);
  });

  test('clocks that differ by a minute change nothing', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database);
    const { tasks } = watcher;
    await using ahead = await startNode(database.url, 'ahead', '60000', 'hold');
    await using behind = await startNode(database.url, 'behind', '-60000', 'echo');
    const held = await tasks.request({ kind: 'hold' });
    await ahead.waitFor(/^start/);
    const since = performance.now();
    await vi.waitFor(async () => {
      expect(await tasks.get(held.id)).toMatchObject({ status: 'running', attempt: 1 });
      expect(performance.now() - since).toBeGreaterThan(2 * leaseMs);
    }, patience);
    const echo = await tasks.request({ kind: 'echo', payload: 1 });
    await vi.waitFor(
      async () => expect(await tasks.get(echo.id)).toMatchObject({ result: ['behind', 1] }),
      patience,
    );
    expect(behind.process.exitCode).toBeNull();
    expect(await tasks.get(held.id)).toMatchObject({ status: 'running', attempt: 1 });
  });

  test('a process that is killed between its commit and its publication: both are kept', async () => {
    await using database = await postgres!.create();
    // It never starts its outbox, so that nothing of it was published.
    const requester = await startNode(database.url, 'requester', '0', 'request');
    await requester.kill();
    await using watcher = await watch(database);
    const [task] = await watcher.tasks.list();
    expect(task).toMatchObject({ kind: 'echo', status: 'waiting_for_worker' });
    await vi.waitFor(
      () => expect(watcher.published.map(({ channel }) => channel)).toContain(`task:${task?.id}`),
      patience,
    );
    await using worker = await startNode(database.url, 'worker', '0', 'echo');
    await vi.waitFor(
      async () =>
        expect(await watcher.tasks.get(task?.id ?? '')).toMatchObject({
          result: ['worker', 'killed'],
        }),
      patience,
    );
    expect(worker.process.exitCode).toBeNull();
  });
});

test('on SQLite a server is killed in the middle, and the next start goes on', async () => {
  await using database = await sqlite!.create();
  const first = startChild(script, [database.url, 'first', '0', 'hold,request-hold']);
  await first.waitFor(/^start .* 1$/);
  await first.kill();
  await using second = await startNode(database.url, 'second', '0', 'hold');
  await second.waitFor(/^start .* 2$/);
  expect(second.lines.filter((line) => line.startsWith('start'))).toHaveLength(1);
});
