import path from 'node:path';
import { openStore, type Store } from '@holdfast/store';
import {
  createTasks,
  taskModule,
  type Tasks,
  type TasksOptions,
  type TaskTables,
} from '@holdfast/tasks';
import { expect } from 'vitest';
import { startChild, type Child } from '../child.ts';
import { kinds } from './kinds.ts';

export const patience = { timeout: 60_000, interval: 20 };
const script = path.join(import.meta.dirname, 'node.ts');

export interface Watcher extends AsyncDisposable {
  readonly store: Store<TaskTables>;
  readonly tasks: Tasks;
  readonly published: { channel: string; data: { changes?: readonly string[] } }[];
}

/** A server that watches, sweeps and publishes, and works on nothing. Disposing checks every rule. */
export async function watch(
  url: string,
  options: Pick<TasksOptions, 'now' | 'sweepMs'> = {},
): Promise<Watcher> {
  const store = await openStore<TaskTables>({ url, modules: [taskModule] });
  const tasks = await createTasks({ store, kinds, sweepMs: 200, pollMs: 50, ...options });
  const published: Watcher['published'] = [];
  store.outbox.start({
    publish: (channel, data) => {
      published.push({ channel, data: JSON.parse(Buffer.from(data).toString()) as object });
      return Promise.resolve();
    },
  });
  await tasks.start();
  return {
    store,
    tasks,
    published,
    async [Symbol.asyncDispose]() {
      await tasks.close();
      expect(await store.integrityCheck()).toEqual([]);
      await store.close();
    },
  };
}

/** `node.ts` with its arguments, ready to work. */
export async function startNode(...args: readonly string[]): Promise<Child & AsyncDisposable> {
  const child = startChild(script, args);
  await child.waitFor(/^ready$/);
  return { ...child, [Symbol.asyncDispose]: () => child.kill() };
}
