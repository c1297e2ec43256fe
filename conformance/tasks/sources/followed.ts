import { openStore } from '@holdfast/store';
import { createTasks, taskModule, type JobSource, type TaskTables } from '@holdfast/tasks';
import { expect, vi } from 'vitest';

/** A server that follows sources, with everything that it published. */
export async function follow(url: string, ...sources: readonly JobSource[]) {
  const store = await openStore<TaskTables>({ url, modules: [taskModule] });
  // The leader follows, which only a server that publishes can be. Its broker is away, so that every
  // event stays in the outbox, where it can be read.
  store.outbox.start({ publish: () => Promise.reject(new Error('the broker is away')) });
  const tasks = await createTasks({ store, sweepMs: 100 });
  for (const source of sources) tasks.follow(source);
  await tasks.start();
  return {
    store,
    tasks,
    /** What happened to each task since it exists, in the order of tasks. */
    async changes(): Promise<readonly string[]> {
      const rows = await store.read((db) =>
        db
          .withTables<{ outbox: { seq: number; data: string } }>()
          .selectFrom('outbox')
          .select('data')
          .orderBy('seq')
          .execute(),
      );
      const told = new Map<string, string[]>();
      for (const { data } of rows) {
        const event = JSON.parse(data) as { changes: readonly string[]; task: { id: string } };
        const changes = event.changes.filter((change) => change !== 'alive');
        told.set(event.task.id, [...(told.get(event.task.id) ?? []), ...changes]);
      }
      return [...told].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, all]) => all.join(' '));
    },
    async [Symbol.asyncDispose]() {
      await tasks.close();
      expect(await store.integrityCheck()).toEqual([]);
      await store.close();
    },
  };
}

export type Followed = Awaited<ReturnType<typeof follow>>;

/** Waits until the tasks, the oldest first, are like that. */
export async function expectTasks({ tasks }: Followed, expected: readonly object[]): Promise<void> {
  await vi.waitFor(async () => expect((await tasks.list()).toReversed()).toMatchObject(expected), {
    timeout: 60_000,
    interval: 50,
  });
}

/** Waits until everything that happens from now on is seen. */
export async function expectFollowing({ store }: Followed): Promise<void> {
  await vi.waitFor(
    async () => {
      const rows = await store.read((db) => db.selectFrom('task_sources').selectAll().execute());
      expect(rows[0]?.position).toMatch(/"cursor":"/);
    },
    { timeout: 60_000, interval: 20 },
  );
}
