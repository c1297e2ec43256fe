import type { TaskView } from '@holdfast/protocol/tasks';
import { openStore, type Store } from '@holdfast/store';
import { testBackends, type TestDatabase } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import type { KindOptions } from './kind.ts';
import { taskModule, type TaskTables } from './task-module.ts';
import { createTasks, type Tasks } from './tasks.ts';

const patience = { timeout: 60_000, interval: 10 };

async function open(
  database: TestDatabase,
  kinds: Readonly<Record<string, KindOptions>>,
): Promise<{ store: Store<TaskTables>; tasks: Tasks } & AsyncDisposable> {
  const store = await openStore<TaskTables>({ url: database.url, modules: [taskModule] });
  const tasks = await createTasks({ store, kinds, sweepMs: 100, pollMs: 50, stopGraceMs: 200 });
  return {
    store,
    tasks,
    async [Symbol.asyncDispose]() {
      await tasks.close();
      expect(await store.integrityCheck()).toEqual([]);
      await store.close();
    },
  };
}

function ends(tasks: Tasks, id: string, expected: object): Promise<void> {
  return vi.waitFor(async () => expect(await tasks.get(id)).toMatchObject(expected), patience);
}

describe.each(testBackends)('handlers in the process on $name', (backend) => {
  test('work, report, write output, and have children', async () => {
    await using database = await backend.create();
    await using bench = await open(database, { leaf: {}, root: {} });
    const { tasks } = bench;
    tasks.handle('leaf', (task) => Promise.resolve(task.payload));
    tasks.handle('root', async (_task, { progress, output, child }) => {
      progress({ steps: [{ name: 'one' }, { name: 'two' }], step: 'one' });
      output('line 1\n');
      output('😀'.repeat(6000), 'token');
      await child({ kind: 'leaf', payload: 1 });
      await child({ kind: 'leaf', payload: 2 });
      progress({ step: 'two', message: 'nearly' });
      return 'done';
    });
    await tasks.start();
    const { id } = await tasks.request({ kind: 'root' });
    await ends(tasks, id, { status: 'completed', result: 'done', message: 'nearly', progress: 1 });
    const { steps, children } = await tasks.get(id);
    expect(steps).toMatchObject([{ state: 'completed' }, { state: 'completed' }]);
    expect(children).toMatchObject({ total: 2, open: 0, failed: 0 });
    const { chunks } = await tasks.readOutput(id);
    expect(chunks[0]).toMatchObject({ seq: 1, type: 'log', data: 'line 1\n' });
    expect(
      chunks
        .slice(1)
        .map(({ data }) => data)
        .join(''),
    ).toBe('😀'.repeat(6000));
    expect(await tasks.workers()).toMatchObject([{ isAlive: true }, { isAlive: true }]);
  });

  test('that throw something that is not an Error fail with words', async () => {
    await using database = await backend.create();
    await using bench = await open(database, { odd: { attempts: 1 } });
    const { tasks } = bench;
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const thrown: readonly unknown[] = ['text', { a: 1 }, undefined, null, 10n, circular];
    tasks.handle('odd', (task) => {
      // Whatever is thrown must be told in words.
      // oxlint-disable-next-line prefer-promise-reject-errors
      return Promise.reject(thrown[task.payload as number]);
    });
    await tasks.start();
    for (const [index] of thrown.entries()) {
      const { id } = await tasks.request({ kind: 'odd', payload: index });
      await ends(tasks, id, { status: 'failed', error: expect.stringContaining('thrown: ') });
    }
  });

  test('that return what cannot be stored fail, and say so', async () => {
    await using database = await backend.create();
    await using bench = await open(database, { big: {} });
    const { tasks } = bench;
    tasks.handle('big', () => Promise.resolve('x'.repeat(20_000)));
    await tasks.start();
    const { id } = await tasks.request({ kind: 'big' });
    await ends(tasks, id, { status: 'failed', error: expect.stringContaining('task_too_large') });
  });

  test('stop when they are cancelled, and their slot is free when they do not', async () => {
    await using database = await backend.create();
    const slow = { leaseMs: 60_000, heartbeatMs: 50 };
    await using bench = await open(database, {
      polite: { ...slow, cancelGraceMs: 60_000 },
      stubborn: { ...slow, cancelGraceMs: 300 },
    });
    const { tasks } = bench;
    const signals: AbortSignal[] = [];
    tasks.handle('polite', (_task, { signal }) => {
      signals.push(signal);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped')));
      });
    });
    tasks.handle(
      'stubborn',
      (_task, { signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
      { concurrency: 1 },
    );
    await tasks.start();
    for (const kind of ['polite', 'stubborn', 'stubborn']) {
      const { id } = await tasks.request({ kind });
      await ends(tasks, id, { status: 'running' });
      await tasks.cancel(id);
      await ends(tasks, id, { status: 'cancelled', isOver: true });
    }
    await vi.waitFor(
      () => expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]),
      patience,
    );
    expect(signals[0]?.reason).toBe('cancelled');
  });

  test('that go on when the process stops give their task back', async () => {
    await using database = await backend.create();
    await using bench = await open(database, { slow: {} });
    const { tasks } = bench;
    tasks.handle('slow', () => new Promise(() => {}));
    await tasks.start();
    const { id } = await tasks.request({ kind: 'slow' });
    await ends(tasks, id, { status: 'running' });
    await tasks.close();
    expect(await tasks.get(id)).toMatchObject({
      status: 'waiting_for_worker',
      reason: 'no_worker_alive',
      attempt: 0,
    });
  });

  test('more output than the limit is refused, and the task goes on', async () => {
    await using database = await backend.create();
    await using bench = await open(database, { loud: { maxOutputBytes: 100_000 } });
    const { tasks } = bench;
    const line = 'x'.repeat(1_000_000);
    tasks.handle('loud', (_task, { output }) => {
      let accepted = 0;
      for (let part = 0; part < 1000; part += 1) accepted += Number(output(line));
      return Promise.resolve(accepted);
    });
    await tasks.start();
    const { id } = await tasks.request({ kind: 'loud' });
    await ends(tasks, id, { status: 'completed', result: 0 });
    const { output } = await tasks.get(id);
    expect(output.bytes).toBeLessThanOrEqual(100_000);
    expect(output.bytes).toBeGreaterThan(90_000);
    expect(output.refused).toBeGreaterThan(0);
  });

  test('a hook runs once after the end, and is tried again when it fails', async () => {
    await using database = await backend.create();
    const seen: TaskView[] = [];
    let calls = 0;
    await using bench = await open(database, {
      hooked: {
        attempts: 1,
        after: (task) => {
          calls += 1;
          if (calls === 1) return Promise.reject(new Error('not yet'));
          seen.push(task);
          return Promise.resolve();
        },
      },
    });
    const { tasks } = bench;
    tasks.handle('hooked', () => Promise.reject(new Error('no')));
    await tasks.start();
    const { id } = await tasks.request({ kind: 'hooked' });
    await vi.waitFor(() => expect(seen).toHaveLength(1), patience);
    expect(seen[0]).toMatchObject({ id, status: 'failed', error: 'Error: no' });
    expect(calls).toBe(2);
  });
});
