import { TaskError } from './errors.ts';
import { liveStates, type TaskRow } from './task-module.ts';
import type { TaskUnit } from './task-unit.ts';

const maxVisited = 100_000;

/**
 * Refuses a child that could never begin: a parent waits for its children, a follow-up for the task
 * it follows, and nobody may wait for itself in a circle of those two.
 *
 * @throws {@link TaskError} `task_cycle` when `waitsFor` waits, through any number of tasks, for
 * `parent`
 */
export async function assertWaitsForNoAncestor(
  unit: TaskUnit,
  { waitsFor, parent }: { readonly waitsFor: TaskRow; readonly parent: TaskRow },
): Promise<void> {
  const visited = new Set<string>();
  let edge: readonly string[] = [waitsFor.id];
  while (edge.length > 0) {
    if (edge.includes(parent.id)) {
      throw new TaskError(
        'task_cycle',
        `a child of ${parent.id} would wait for ${waitsFor.id}, which waits for ${parent.id}`,
      );
    }
    for (const id of edge) visited.add(id);
    if (visited.size > maxVisited) {
      throw new TaskError('task_cycle', `more than ${maxVisited} tasks wait for each other`);
    }
    const found = [...(await openChildren(unit, edge)), ...(await followed(unit, edge))];
    edge = [...new Set(found)].filter((id) => !visited.has(id));
  }
}

async function openChildren(unit: TaskUnit, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await unit.trx
    .selectFrom('task_links')
    .innerJoin('tasks', 'tasks.id', 'task_links.child_id')
    .select('child_id as id')
    .where('parent_id', 'in', ids)
    .where('state', 'in', liveStates)
    .execute();
  return rows.map((row) => row.id);
}

/** The tasks that those of `ids` follow which are queued. */
async function followed(unit: TaskUnit, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await unit.trx
    .selectFrom('tasks as queued')
    .innerJoin('tasks as holder', (join) =>
      join
        .onRef('holder.kind', '=', 'queued.kind')
        .onRef('holder.unique_key', '=', 'queued.unique_key'),
    )
    .select('holder.id as id')
    .where('queued.id', 'in', ids)
    .where('queued.state', '=', 'queued')
    .where('holder.state', 'in', ['pending', 'running', 'awaiting'])
    .execute();
  return rows.map((row) => row.id);
}
