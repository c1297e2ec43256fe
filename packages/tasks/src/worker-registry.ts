import type { TaskContext } from './task-context.ts';
import type { WorkerCount } from './task-view.ts';
import type { Store, StoreTransaction } from '@holdfast/store';
import type { TaskTables } from './task-module.ts';

/** A worker that says that it is alive. */
export interface WorkerSign {
  /** Unique, and the same for as long as the worker lives. */
  readonly id: string;
  readonly kinds: readonly string[];
  /** For people: host name and process, for example. @defaultValue the id */
  readonly name?: string;
  /** Tasks it works on at the same time. @defaultValue 1 */
  readonly concurrency?: number;
}

/** A worker that is alive, and what it can do. */
export interface WorkerView {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly concurrency: number;
  readonly seenAt: number;
  readonly isAlive: boolean;
}

/** A worker that was not heard of for so long counts as dead. */
const workerTtlMs = 30_000;
/** Dead workers are forgotten after this; until then a status can say since when they are gone. */
const forgetMs = 30 * 86_400_000;
const maxWorkerRows = 10_000;

/** Notes a sign of life. */
export async function noteWorker(context: TaskContext, sign: WorkerSign): Promise<void> {
  if (sign.kinds.length === 0) return;
  const now = context.now();
  const rows = [...new Set(sign.kinds)].toSorted().map((kind) => ({
    worker_id: sign.id.slice(0, 200),
    kind,
    name: (sign.name ?? sign.id).slice(0, 200),
    concurrency: sign.concurrency ?? 1,
    seen_at: now,
    expires_at: now + workerTtlMs,
  }));
  await context.store.transaction((trx) =>
    trx
      .insertInto('task_workers')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['kind', 'worker_id']).doUpdateSet((value) => ({
          name: value.ref('excluded.name'),
          concurrency: value.ref('excluded.concurrency'),
          seen_at: value.ref('excluded.seen_at'),
          expires_at: value.ref('excluded.expires_at'),
        })),
      )
      .execute(),
  );
}

/** A worker that is known already is still alive. */
export async function renewWorker(context: TaskContext, id: string): Promise<void> {
  const now = context.now();
  await context.store.transaction((trx) =>
    trx
      .updateTable('task_workers')
      .set({ seen_at: now, expires_at: now + workerTtlMs })
      .where('worker_id', '=', id)
      .execute(),
  );
}

/** A worker says good-bye: from now on it does not count. */
export async function dismissWorker(context: TaskContext, id: string): Promise<void> {
  const now = context.now();
  await context.store.transaction((trx) =>
    trx
      .updateTable('task_workers')
      .set({ expires_at: now, seen_at: now })
      .where('worker_id', '=', id)
      .where('expires_at', '>', now)
      .execute(),
  );
}

/** Living workers of every kind that ever had one. */
export async function countWorkers(
  trx: StoreTransaction<TaskTables>,
  now: number,
): Promise<ReadonlyMap<string, WorkerCount>> {
  const rows = await trx
    .selectFrom('task_workers')
    .select((value) => [
      'kind',
      value.fn.max('seen_at').as('seen_at'),
      value.fn
        .sum<number>(value.case().when('expires_at', '>', now).then(1).else(0).end())
        .as('live'),
    ])
    .groupBy('kind')
    .execute();
  return new Map(rows.map((row) => [row.kind, { live: row.live, lastSeenAt: row.seen_at }]));
}

export function listWorkers(store: Store<TaskTables>, now: number): Promise<readonly WorkerView[]> {
  return store.read(async (trx) => {
    const rows = await trx
      .selectFrom('task_workers')
      .selectAll()
      .orderBy('kind')
      .orderBy('seen_at', 'desc')
      .limit(1000)
      .execute();
    return rows.map((row) => ({
      id: row.worker_id,
      kind: row.kind,
      name: row.name,
      concurrency: row.concurrency,
      seenAt: row.seen_at,
      isAlive: row.expires_at > now,
    }));
  });
}

/** Forgets workers that died long ago, or the oldest of too many. */
export async function forgetWorkers(
  trx: StoreTransaction<TaskTables>,
  { now, limit }: { readonly now: number; readonly limit: number },
): Promise<number> {
  const rows = await trx
    .selectFrom('task_workers')
    .select(['kind', 'worker_id', 'expires_at'])
    .where('expires_at', '<=', now)
    .orderBy('expires_at', 'desc')
    .offset(0)
    .limit(maxWorkerRows + limit)
    .execute();
  const stale = rows
    .filter((row, index) => row.expires_at <= now - forgetMs || index >= maxWorkerRows)
    .slice(0, limit);
  for (const { kind, worker_id } of stale) {
    await trx
      .deleteFrom('task_workers')
      .where('kind', '=', kind)
      .where('worker_id', '=', worker_id)
      .where('expires_at', '<=', now)
      .execute();
  }
  return stale.length;
}
