import type { StoreTransaction } from '@holdfast/store';
import { cancelTree } from './cancel.ts';
import { findBrokenTasks } from './integrity.ts';
import type { TaskContext } from './task-context.ts';
import { liveStates, type TaskAuditTable, type TaskTables } from './task-module.ts';
import { TaskUnit } from './task-unit.ts';
import { isOver } from './task-view.ts';
import { expire, settle } from './transitions.ts';

/** A row that looks stuck, or could. */
export interface Finding {
  /** Id of the task, or of the foreign row. */
  readonly subject: string;
  readonly problem: string;
  readonly action: string;
  /** Whether it was healed. Always false in a dry run. */
  readonly isHealed: boolean;
}

/** Whether what is found is also healed. */
export interface DoctorOptions {
  /** Only with true anything is changed. @defaultValue false */
  readonly heal?: boolean;
  /** Who does it, for the audit record. @defaultValue 'doctor' */
  readonly actor?: string;
  /** @defaultValue 1000 */
  readonly limit?: number;
}

/** Expired rows are settled within seconds while any node runs; these were not. */
const overdueMs = 10_000;

/**
 * Finds every task that breaks a rule of `task.spec.md` or should have been swept long ago, and with
 * `heal` ends it as failed (`repaired`) or lets time do to it what it should have done. Each repair
 * is recorded in the same transaction.
 */
export async function examineTasks(
  context: TaskContext,
  options: DoctorOptions = {},
): Promise<readonly Finding[]> {
  const limit = options.limit ?? 1000;
  const suspects = await context.store.read(async (db) => {
    const broken = await findBrokenTasks(db, limit);
    const overdue = await db
      .selectFrom('tasks')
      .select('id')
      .where('state', 'in', ['running', 'pending'])
      .where('expires_at', '<=', context.now() - overdueMs)
      .limit(limit)
      .execute();
    return [
      ...broken.map(({ id, problem }) => ({ id, problem, isOverdue: false })),
      ...overdue.map(({ id }) => ({
        id,
        problem: 'should have been swept long ago',
        isOverdue: true,
      })),
    ];
  });
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const { id, problem, isOverdue } of suspects) {
    if (seen.has(id)) continue;
    seen.add(id);
    const action = isOverdue ? 'let its time be over' : 'end it as it stands';
    const finding = { subject: id, problem, action };
    const isHealed =
      options.heal === true && (await heal(context, finding, options.actor ?? 'doctor'));
    findings.push({ ...finding, isHealed });
  }
  return findings;
}

function heal(
  context: TaskContext,
  { subject, problem, action }: Omit<Finding, 'isHealed'>,
  actor: string,
): Promise<boolean> {
  return TaskUnit.run(context, async (unit) => {
    const row = await unit.load(subject);
    const before = JSON.stringify(row);
    if (await expire(unit, row)) {
      await recordAudit(unit.trx, audit(context, { actor, subject, problem, action, before }));
      return true;
    }
    // Counted anew: the counters may be what is broken.
    const open = await unit.trx
      .selectFrom('task_links')
      .innerJoin('tasks', 'tasks.id', 'task_links.child_id')
      .select('child_id')
      .where('parent_id', '=', subject)
      .where('state', 'in', liveStates)
      .execute();
    row.children_open = open.length;
    if (isOver(row)) {
      row.slot = null;
      row.expires_at = null;
      row.worker_id = null;
      row.ended_at ??= unit.now;
    } else if (open.length === 0) {
      const outcome = row.state === 'awaiting' ? (row.outcome ?? 'failed') : 'failed';
      const error = `found by the doctor: ${problem}`;
      const isOwn = row.state === 'awaiting' && outcome === 'completed';
      await settle(
        unit,
        row,
        isOwn ? { state: outcome } : { state: outcome, reason: 'repaired', error },
      );
    } else if (row.state === 'running' || row.state === 'queued' || row.state === 'pending') {
      await cancelTree(unit, subject);
    } else {
      unit.touch(row, 'children');
    }
    await recordAudit(unit.trx, audit(context, { actor, subject, problem, action, before }));
    return true;
  });
}

/** An audit record of a repair. */
export function audit(
  context: TaskContext,
  record: Omit<TaskAuditTable, 'id' | 'at'>,
): TaskAuditTable {
  return { id: context.ids.next(), at: context.now(), ...record };
}

export async function recordAudit(
  trx: StoreTransaction<TaskTables>,
  record: TaskAuditTable,
): Promise<void> {
  await trx.insertInto('task_audit').values(record).execute();
}

/** Repairs, newest first. */
export function listAudit(context: TaskContext, limit = 100): Promise<readonly TaskAuditTable[]> {
  return context.store.read((db) =>
    db.selectFrom('task_audit').selectAll().orderBy('id', 'desc').limit(limit).execute(),
  );
}
