import { TaskError } from './errors.ts';
import type { TaskRow } from './task-module.ts';
import type { TaskUnit } from './task-unit.ts';
import { isOver } from './task-view.ts';
import { expire, settle } from './transitions.ts';

/**
 * Cancels a task and everything below it that nobody else waits for. What has not begun is over at
 * once; what runs is asked to stop, and its lease ends after the grace time whether it does or not.
 * Does nothing to a task that is over.
 * @throws {@link TaskError} `task_not_found`, `task_followed`
 */
export async function cancelTree(unit: TaskUnit, id: string): Promise<void> {
  // Everything is locked in one order, the youngest first, before anything is changed.
  await unit.loadAll([id, ...(await descendantsOf(unit, id))]);
  const row = await unit.load(id);
  if (row.source !== null && !isOver(row)) {
    throw new TaskError('task_followed', `task ${id} is a job of ${row.source}`);
  }
  await cancelRow(unit, row);
}

async function descendantsOf(unit: TaskUnit, id: string): Promise<readonly string[]> {
  const found = new Set<string>();
  let edge: readonly string[] = [id];
  while (edge.length > 0) {
    const rows = await unit.trx
      .selectFrom('task_links')
      .select('child_id')
      .where('parent_id', 'in', edge)
      .execute();
    edge = [...new Set(rows.map((row) => row.child_id))].filter((child) => !found.has(child));
    for (const child of edge) found.add(child);
  }
  return [...found];
}

async function cancelRow(unit: TaskUnit, row: TaskRow): Promise<void> {
  if (isOver(row) || (await expire(unit, row), isOver(row))) return;
  const isRepeated = row.cancel_at !== null;
  row.cancel_at ??= unit.now;
  if (row.state === 'running') {
    const { cancelGraceMs } = unit.context.kind(row.kind);
    const cutOff = row.cancel_at + cancelGraceMs;
    row.deadline_at = Math.min(row.deadline_at ?? cutOff, cutOff);
    row.expires_at = Math.min(row.expires_at ?? cutOff, cutOff);
  }
  if (!isRepeated) unit.touch(row, 'cancelling');
  for (const child of await unit.childrenOf(row)) {
    if (isOver(child) || child.cancel_at !== null) continue;
    const parents = await unit.parentsOf(child);
    const isWanted = parents.some((parent) => !isOver(parent) && parent.cancel_at === null);
    if (!isWanted) await cancelRow(unit, child);
  }
  if (row.state === 'pending' || row.state === 'queued') {
    await settle(unit, row, { state: 'cancelled', reason: 'cancelled' });
  }
}
