import type { RetentionJob, StoreTransaction } from '@holdfast/store';
import type { TaskTables } from './task-module.ts';
import { forgetWorkers } from './worker-registry.ts';

/** How long what is over is kept. */
export interface TaskRetentionOptions {
  /** Ended tasks are kept so long. @defaultValue 604800000 (7 days) */
  readonly keepMs?: number;
  /** The newest ended tasks that are kept at most. @defaultValue 1000000 */
  readonly maxEnded?: number;
}

const defaultKeepMs = 7 * 86_400_000;
const keptRunsMs = 90 * 86_400_000;

/** Deletes a task with its output and its links. */
export async function deleteTaskRows(
  trx: StoreTransaction<TaskTables>,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  await trx.deleteFrom('task_output').where('task_id', 'in', ids).execute();
  await trx.deleteFrom('task_links').where('parent_id', 'in', ids).execute();
  await trx.deleteFrom('task_links').where('child_id', 'in', ids).execute();
  await trx.deleteFrom('tasks').where('id', 'in', ids).execute();
}

/** What the store's retention does for tasks. Tasks that are not over are never deleted. */
export function retentionJobs(
  options: TaskRetentionOptions,
  now: () => number,
): readonly RetentionJob<TaskTables>[] {
  const keepMs = options.keepMs ?? defaultKeepMs;
  const maxEnded = options.maxEnded ?? 1_000_000;
  const over = ['completed', 'partial', 'failed', 'cancelled'] as const;
  return [
    {
      name: 'ended tasks',
      async deleteBatch(trx, { limit }) {
        let rows = await trx
          .selectFrom('tasks')
          .select('id')
          .where('state', 'in', over)
          .where('ended_at', '<=', now() - keepMs)
          .orderBy('ended_at')
          .limit(limit)
          .execute();
        if (rows.length === 0) {
          rows = await trx
            .selectFrom('tasks')
            .select('id')
            .where('state', 'in', over)
            .orderBy('ended_at', 'desc')
            .offset(maxEnded)
            .limit(limit)
            .execute();
        }
        await deleteTaskRows(
          trx,
          rows.map(({ id }) => id),
        );
        return rows.length;
      },
    },
    {
      name: 'dead workers',
      everyMs: 600_000,
      deleteBatch: (trx, { limit }) => forgetWorkers(trx, { now: now(), limit }),
    },
    {
      name: 'runs of schedules',
      everyMs: 600_000,
      async deleteBatch(trx, { limit }) {
        const rows = await trx
          .selectFrom('task_schedule_runs')
          .select('id')
          .where('at', '<=', now() - keptRunsMs)
          .limit(limit)
          .execute();
        if (rows.length > 0) {
          await trx
            .deleteFrom('task_schedule_runs')
            .where(
              'id',
              'in',
              rows.map(({ id }) => id),
            )
            .execute();
        }
        return rows.length;
      },
    },
  ];
}
