import { TaskError } from './errors.ts';
import type { TaskRequest } from './task-request.ts';
import type { TaskContext } from './task-context.ts';
import { isOver } from './task-view.ts';

/** From where the new task begins. */
export interface RetryOptions {
  /** Forgets the checkpoint of the task that is over. @defaultValue false */
  readonly isFromStart?: boolean;
}

/**
 * The request for the work of a task that is over, once more.
 * @throws {@link TaskError} `task_not_found`, `task_not_over`, `task_followed`
 */
export async function requestAgain(
  context: TaskContext,
  id: string,
  options: RetryOptions,
): Promise<TaskRequest> {
  const row = await context.store.read((db) =>
    db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst(),
  );
  if (row === undefined) throw new TaskError('task_not_found', `there is no task ${id}`);
  if (row.source !== null) {
    throw new TaskError('task_followed', `task ${id} is a job of ${row.source}`);
  }
  if (!isOver(row)) throw new TaskError('task_not_over', `task ${id} is not over`);
  return {
    kind: row.kind,
    payload: JSON.parse(row.payload),
    owner: row.owner,
    attempts: row.max_attempts,
    lane: row.lane,
    ...(row.max_runtime_ms === null ? {} : { maxRuntimeMs: row.max_runtime_ms }),
    ...(row.checkpoint === null || options.isFromStart === true
      ? {}
      : { checkpoint: JSON.parse(row.checkpoint) as unknown }),
    ...(row.unique_key === null ? {} : { key: row.unique_key }),
  };
}
