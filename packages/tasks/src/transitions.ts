import type { TaskStep } from '@holdfast/protocol/tasks';
import { backoffMs } from './kind.ts';
import { finishSteps, wholeProgress } from './progress.ts';
import type { TaskRow } from './task-module.ts';
import type { TaskUnit } from './task-unit.ts';
import {
  isOver,
  stepsOf,
  viewOf,
  whyLost,
  type AttemptRecord,
  type LossReason,
} from './task-view.ts';
import { measureRun } from './durations.ts';

/** How an attempt or a task ended. */
export interface Ending {
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly reason?: string | null;
  readonly error?: string | null;
  /** JSON. */
  readonly result?: string | null;
}

const keptAttempts = 20;
const maxErrorLength = 4000;

/** Name of the slot of a follow-up. */
export function followUpSlot(slot: string): string {
  return `${slot}\nnext`;
}

/** Kind of the tasks that run `after` hooks of a kind. */
export function afterKind(kind: string): string {
  return `${kind}:after`;
}

/** Ends the current attempt: nobody who holds the old token can write any more. */
export function endAttempt(
  unit: TaskUnit,
  row: TaskRow,
  why: { readonly reason: string; readonly error: string | null },
): void {
  if (row.started_at !== null) {
    const record: AttemptRecord = {
      attempt: row.attempt,
      startedAt: row.started_at,
      endedAt: unit.now,
      reason: why.reason,
      error: why.error?.slice(0, maxErrorLength) ?? null,
      worker: row.worker_id,
    };
    const history = JSON.parse(row.history) as AttemptRecord[];
    row.history = JSON.stringify([...history, record].slice(-keptAttempts));
  }
  row.token += 1;
  row.worker_id = null;
  row.started_at = null;
  row.deadline_at = null;
  row.beat_at = null;
  row.expires_at = null;
  row.ended_at = unit.now;
}

/**
 * The task's own work has ended for good. It is over when it has no open children, and waits for the
 * last of them otherwise, however its own work ended.
 */
export async function settle(unit: TaskUnit, row: TaskRow, ending: Ending): Promise<void> {
  if (isOver(row)) return;
  if (ending.state === 'completed' && row.started_at !== null) {
    unit.addDurations(measureRun(unit, row));
  }
  if (ending.state === 'completed' && row.steps !== null) {
    const steps = JSON.parse(row.steps) as TaskStep[];
    row.steps = JSON.stringify(finishSteps(steps, unit.now));
  }
  endAttempt(unit, row, { reason: ending.reason ?? ending.state, error: ending.error ?? null });
  row.outcome = ending.state;
  row.reason = ending.reason ?? null;
  row.error = ending.error?.slice(0, maxErrorLength) ?? null;
  if (ending.result !== undefined) row.result = ending.result;
  if (ending.state === 'completed') {
    row.progress = wholeProgress;
    row.checkpoint = null;
  }
  if (row.children_open > 0) {
    // A follow-up has not begun, so nothing it could have asked for exists.
    row.state = 'awaiting';
    unit.touch(row, 'waiting');
    return;
  }
  await conclude(unit, row);
}

/** Gives the task its final state, from its own outcome and its children's. */
async function conclude(unit: TaskUnit, row: TaskRow): Promise<void> {
  if (row.outcome === 'completed' && row.cancel_at !== null && row.state === 'awaiting') {
    row.state = 'cancelled';
    row.reason = 'cancelled';
  } else if (row.outcome === 'completed' && row.children_failed > 0) {
    const areAllFailed = row.children_failed === row.children;
    row.state = areAllFailed ? 'failed' : 'partial';
    row.reason = areAllFailed ? 'children_failed' : 'some_children_failed';
  } else if (row.outcome === 'completed' && row.children_partial > 0) {
    row.state = 'partial';
    row.reason = 'some_children_failed';
  } else {
    row.state = row.outcome ?? 'failed';
  }
  row.ended_at = unit.now;
  const { slot } = row;
  row.slot = null;
  const state = row.state;
  unit.touch(row, state);
  const { metrics } = unit.context;
  unit.afterCommit(() => {
    metrics[state] += 1;
  });
  if (slot !== null) await promote(unit, slot);
  await tellParents(unit, row);
  requestAfterHook(unit, row);
}

/** The follow-up, if there is one, takes the slot that became free. */
async function promote(unit: TaskUnit, slot: string): Promise<void> {
  const next = await unit.holderOf(followUpSlot(slot));
  if (next === undefined) return;
  next.slot = slot;
  await makePending(unit, next, { delayMs: Math.max(0, next.available_at - unit.now) });
  unit.touch(next, 'pending');
}

async function tellParents(unit: TaskUnit, child: TaskRow): Promise<void> {
  for (const parent of await unit.parentsOf(child)) {
    parent.children_open -= 1;
    if (child.state === 'failed' || child.state === 'cancelled') parent.children_failed += 1;
    if (child.state === 'partial') parent.children_partial += 1;
    if (parent.state === 'awaiting' && parent.children_open <= 0) await conclude(unit, parent);
    else unit.touch(parent, 'children');
  }
}

function requestAfterHook(unit: TaskUnit, row: TaskRow): void {
  if (unit.context.kind(row.kind).after === undefined) return;
  const kind = unit.context.kind(afterKind(row.kind));
  const hook = newRow(unit, {
    kind: kind.name,
    owner: row.owner,
    payload: JSON.stringify(viewOf(row, { ...unit.context, now: unit.now })),
    maxAttempts: kind.attempts,
  });
  hook.idempotency_key = `after:${row.id}`;
  hook.state = 'pending';
  hook.expires_at = unit.now + kind.pendingDeadlineMs;
  unit.add(hook, 'pending');
  unit.afterCommit(() => unit.context.wake([hook.kind]));
}

/** The attempt has ended without success: another one, or the end. */
export async function retryOrFail(
  unit: TaskUnit,
  row: TaskRow,
  why: { readonly reason: string; readonly error: string | null; readonly delayMs?: number },
): Promise<void> {
  if (row.cancel_at !== null) {
    await settle(unit, row, { state: 'cancelled', reason: 'cancelled', error: why.error });
    return;
  }
  // How often a job of another queue is tried is for that queue to say.
  if (row.attempt >= row.max_attempts && row.source === null) {
    await settle(unit, row, { state: 'failed', reason: why.reason, error: why.error });
    return;
  }
  endAttempt(unit, row, why);
  row.reason = why.reason;
  row.error = why.error?.slice(0, maxErrorLength) ?? null;
  const kind = unit.context.kind(row.kind);
  const delayMs = why.delayMs ?? backoffMs(kind, row.attempt, unit.context.random());
  // A retry keeps its place: it has waited its turn once.
  resume(unit, row, delayMs);
  unit.touch(row, 'retrying');
  const { metrics } = unit.context;
  unit.afterCommit(() => {
    metrics.retried += 1;
  });
}

/** Gives a task back that could not be worked on, without counting the attempt. */
export function release(unit: TaskUnit, row: TaskRow): void {
  endAttempt(unit, row, { reason: 'released', error: null });
  row.attempt -= 1;
  row.reason = 'released';
  resume(unit, row, 0);
  unit.touch(row, 'released');
}

function resume(unit: TaskUnit, row: TaskRow, delayMs: number): void {
  row.state = 'pending';
  row.available_at = unit.now + delayMs;
  row.expires_at = row.available_at + unit.context.kind(row.kind).pendingDeadlineMs;
  unit.afterCommit(() => unit.context.wake([row.kind]));
}

/**
 * What time has done to a row, done to the row: an expired lease ends its attempt, an expired wait
 * fails the task. Safe at any time and by any number of nodes.
 * @returns whether the row had expired
 */
export async function expire(unit: TaskUnit, row: TaskRow): Promise<boolean> {
  if (row.expires_at === null || row.expires_at > unit.now) return false;
  if (row.state === 'pending') {
    await settle(unit, row, {
      state: 'failed',
      reason: 'no_worker',
      error: `no worker took this task within ${row.expires_at - row.available_at} ms`,
    });
    return true;
  }
  if (row.state !== 'running') return false;
  const reason = row.cancel_at === null ? whyLost(row, unit.now) : 'lease_expired';
  const { metrics } = unit.context;
  unit.touch(row, 'lost');
  unit.afterCommit(() => {
    metrics.lost += 1;
  });
  await retryOrFail(unit, row, {
    reason,
    error: describeLoss(row, reason),
  });
  return true;
}

function describeLoss(row: TaskRow, reason: LossReason): string {
  switch (reason) {
    case 'max_runtime':
      return `attempt ${row.attempt} ran longer than it may`;
    case 'step_timeout': {
      const step = stepsOf(row)?.find(({ state }) => state === 'current');
      return `attempt ${row.attempt} was longer than ${step?.maxMs} ms in step ${step?.name}`;
    }
    case 'lease_expired':
      return `worker ${row.worker_id ?? '?'} fell silent during attempt ${row.attempt}`;
  }
}

/** Makes a row claimable, at the end of its owner's line. */
export async function makePending(
  unit: TaskUnit,
  row: TaskRow,
  options: { readonly delayMs: number },
): Promise<void> {
  row.turn = await unit.nextTurn(row);
  resume(unit, row, options.delayMs);
}

/** A row that has not begun. */
export function newRow(
  unit: TaskUnit,
  given: {
    readonly kind: string;
    readonly owner: string;
    readonly payload: string;
    readonly maxAttempts: number;
  },
): TaskRow {
  return {
    id: unit.context.ids.next(),
    kind: given.kind,
    owner: given.owner,
    state: 'pending',
    reason: null,
    unique_key: null,
    slot: null,
    lane: '',
    idempotency_key: null,
    payload: given.payload,
    result: null,
    error: null,
    attempt: 0,
    max_attempts: given.maxAttempts,
    token: 0,
    worker_id: null,
    version: 0,
    created_at: unit.now,
    available_at: unit.now,
    started_at: null,
    first_started_at: null,
    ended_at: null,
    expires_at: null,
    deadline_at: null,
    beat_at: null,
    cancel_at: null,
    turn: 0,
    progress: 0,
    message: null,
    steps: null,
    parents: 0,
    children: 0,
    children_open: 0,
    children_failed: 0,
    children_partial: 0,
    outcome: null,
    output_seq: 0,
    output_bytes: 0,
    output_refused: 0,
    history: '[]',
    schedule: null,
    checkpoint: null,
    max_runtime_ms: null,
    source: null,
  };
}
