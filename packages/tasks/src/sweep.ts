import type { TaskContext } from './task-context.ts';
import { TaskUnit } from './task-unit.ts';
import { expire } from './transitions.ts';

const batchRows = 200;

/**
 * Does to every row what time has done to it: expired leases are retried or failed, waits that took
 * too long fail. Any number of nodes may do it at the same time, and beside workers that are just
 * finishing: each row is locked and looked at again. A row that cannot be settled does not keep the
 * others from it.
 * @returns how many rows had expired
 */
export async function sweepTasks(context: TaskContext): Promise<number> {
  const { metrics, logger } = context;
  metrics.sweeps += 1;
  let swept = 0;
  let after = '';
  for (;;) {
    const ids = await dueIds(context, after);
    for (const id of ids) {
      try {
        if (await sweepOne(context, id)) swept += 1;
      } catch (error) {
        metrics.rowFailures += 1;
        logger.error(
          { task: id, err: error },
          'an expired task could not be settled; trying again',
        );
      }
    }
    after = ids.at(-1) ?? '';
    if (ids.length < batchRows) return swept;
  }
}

function dueIds(context: TaskContext, after: string): Promise<readonly string[]> {
  return context.store.read(async (db) => {
    const rows = await db
      .selectFrom('tasks')
      .select('id')
      .where('state', 'in', ['running', 'pending'])
      .where('expires_at', '<=', context.now())
      .where('id', '>', after)
      .orderBy('id')
      .limit(batchRows)
      .execute();
    return rows.map((row) => row.id);
  });
}

function sweepOne(context: TaskContext, id: string): Promise<boolean> {
  return TaskUnit.run(context, async (unit) => {
    // Whoever holds the lock is changing the row: it need not be swept.
    const [row] = await unit.select((query) => query.where('id', '=', id), { skipLocked: true });
    return row !== undefined && (await expire(unit, row));
  });
}
