import type { TaskEvent } from '@holdfast/protocol/tasks';
import { openStore, type Store } from '@holdfast/store';
import { ManualClock, type TestDatabase } from '@holdfast/store/testing';
import { expect } from 'vitest';
import type { ClaimedTask } from '../claim.ts';
import { unionWindow, type KindOptions, type Window } from '../kind.ts';
import { taskModule, type TaskTables } from '../task-module.ts';
import { createTasks, type Tasks } from '../tasks.ts';

const kinds: Readonly<Record<string, KindOptions>> = {
  parent: {},
  model: {
    leaseMs: 10_000,
    maxRuntimeMs: 60_000,
    cancelGraceMs: 5000,
    attempts: 3,
    concurrency: { total: 4 },
    merge: (waiting, incoming) => [...(waiting as string[]), ...(incoming as string[])],
  },
  plain: { leaseMs: 30_000, attempts: 3, backoff: { baseMs: 1000 } },
  sync: {
    leaseMs: 30_000,
    key: (payload) => (payload as { account?: string } | null)?.account,
    merge: (waiting, incoming) => ({
      ...(incoming as object),
      window: unionWindow(
        (waiting as { window: Window }).window,
        (incoming as { window: Window }).window,
      ),
    }),
  },
  limited: { concurrency: { total: 3, perOwner: 2, perLane: 1 } },
  short: { leaseMs: 10_000, maxRuntimeMs: 60_000, pendingDeadlineMs: 5000, attempts: 2 },
  loud: { maxOutputBytes: 100 },
  open: {
    isOpenToUsers: true,
    maxLivePerUser: 2,
    key: (payload) => (payload as { account?: string } | null)?.account,
  },
};

/** Tasks on a database of their own, with a clock that stands still. */
export interface Bench extends AsyncDisposable {
  readonly store: Store<TaskTables>;
  readonly tasks: Tasks;
  readonly clock: ManualClock;
  /** What waits in the outbox. */
  readonly events: () => Promise<readonly { channel: string; event: TaskEvent }[]>;
  /** Takes the next task of a kind. @throws when there is none */
  claimOne(kind: string): Promise<ClaimedTask>;
}

/** Opens a bench; disposing checks the invariants of every row. */
export async function openBench(database: TestDatabase): Promise<Bench> {
  const clock = new ManualClock();
  const store = await openStore<TaskTables>({ url: database.url, modules: [taskModule] });
  const tasks = await createTasks({ store, kinds, now: () => clock.now(), random: () => 0.5 });
  await tasks.noteWorker({ id: 'w', kinds: Object.keys(kinds) });
  return {
    store,
    tasks,
    clock,
    events: async () => {
      const rows = await store.read((db) =>
        db
          .withTables<{ outbox: { seq: number; channel: string; data: string } }>()
          .selectFrom('outbox')
          .selectAll()
          .orderBy('seq')
          .execute(),
      );
      return rows.map(({ channel, data }) => ({ channel, event: JSON.parse(data) as TaskEvent }));
    },
    async claimOne(kind) {
      const [task] = await tasks.claim({ kinds: [kind], worker: 'w' });
      if (task === undefined) throw new Error(`nothing to claim of ${kind}`);
      return task;
    },
    async [Symbol.asyncDispose]() {
      expect(await store.integrityCheck()).toEqual([]);
      await tasks.close();
      await store.close();
    },
  };
}

/** The code of what a promise rejects with. */
export function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );
}
