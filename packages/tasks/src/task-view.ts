import type { TaskAttempt, TaskStatus, TaskStep, TaskView } from '@holdfast/protocol/tasks';
import { estimateRemainingMs, stepDeadline, wholeProgress, type Durations } from './progress.ts';
import { overStates, type StoredState, type TaskRow } from './task-module.ts';

/** How an earlier attempt ended, and whose it was. */
export interface AttemptRecord extends TaskAttempt {
  /** Null in what users are told: names of machines are nothing for them. */
  readonly worker: string | null;
}

/** Workers of a kind that are alive, and when the last one was seen. */
export interface WorkerCount {
  readonly live: number;
  readonly lastSeenAt: number | null;
}

/** What the view of a row depends on beside the row. */
export interface ViewFacts {
  readonly now: number;
  readonly workers: (kind: string) => WorkerCount;
  readonly durations: (kind: string) => Durations;
}

const finalStates: ReadonlySet<StoredState> = new Set(overStates);
/** Views of tasks whose end nobody can promise are worth reading again so often. */
const recheckMs = 60_000;

/** Whether the stored state is final. */
export function isOver(row: Pick<TaskRow, 'state'>): boolean {
  return finalStates.has(row.state);
}

interface Effective {
  readonly status: TaskStatus;
  readonly reason: string | null;
  readonly since: number;
  readonly expiresAt: number | null;
}

/** The plan of a row. */
export function stepsOf({ steps }: Pick<TaskRow, 'steps'>): readonly TaskStep[] | null {
  return steps === null ? null : (JSON.parse(steps) as readonly TaskStep[]);
}

/** Why a lease that has ended did. */
export type LossReason = 'max_runtime' | 'step_timeout' | 'lease_expired';

/** Why the lease of a row ended, when nobody asked it to. Pure. */
export function whyLost(row: TaskRow, now: number): LossReason {
  if ((row.deadline_at ?? Infinity) <= now) return 'max_runtime';
  return (stepDeadline(stepsOf(row)) ?? Infinity) <= now ? 'step_timeout' : 'lease_expired';
}

/** The status of a row now, whether or not anybody has swept it. Pure. */
export function effectiveStatus(row: TaskRow, facts: ViewFacts): Effective {
  const { now } = facts;
  const { state, reason } = row;
  const due = row.expires_at ?? now;
  switch (state) {
    case 'running':
      if (due <= now) {
        if (row.cancel_at !== null) {
          return { status: 'cancelled', reason: 'cancelled', since: due, expiresAt: now };
        }
        return { status: 'lost', reason: whyLost(row, now), since: due, expiresAt: now };
      }
      if (row.cancel_at !== null) {
        return { status: 'cancelling', reason, since: row.cancel_at, expiresAt: due };
      }
      return { status: 'running', reason, since: row.started_at ?? now, expiresAt: due };
    case 'pending': {
      if (due <= now) return { status: 'failed', reason: 'no_worker', since: due, expiresAt: now };
      const expiresAt = Math.min(due, now + recheckMs);
      const { live, lastSeenAt } = facts.workers(row.kind);
      if (live === 0 && row.available_at <= now) {
        const since = Math.max(row.available_at, lastSeenAt ?? row.available_at);
        const why = lastSeenAt === null ? 'no_worker_ever' : 'no_worker_alive';
        return { status: 'waiting_for_worker', reason: why, since, expiresAt };
      }
      const status = row.attempt > 0 ? 'retrying' : 'pending';
      return { status, reason, since: row.ended_at ?? row.created_at, expiresAt };
    }
    case 'queued':
      return { status: 'queued', reason, since: row.created_at, expiresAt: now + recheckMs };
    case 'awaiting':
      return {
        status: row.cancel_at === null ? 'waiting_for_children' : 'cancelling',
        reason,
        since: row.cancel_at ?? row.ended_at ?? now,
        expiresAt: now + recheckMs,
      };
    case 'completed':
    case 'partial':
    case 'failed':
    case 'cancelled':
      return { status: state, reason, since: row.ended_at ?? now, expiresAt: null };
  }
}

/** The view of a row. */
export function viewOf(row: TaskRow, facts: ViewFacts): TaskView {
  const { status, reason, since, expiresAt } = effectiveStatus(row, facts);
  const steps = stepsOf(row);
  const { now } = facts;
  return {
    id: row.id,
    kind: row.kind,
    owner: row.owner,
    status,
    isOver: isOver(row),
    reason,
    since,
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    progress: row.progress / wholeProgress,
    message: row.message,
    steps,
    remainingMs:
      status === 'running'
        ? estimateRemainingMs(
            { steps, progress: row.progress, message: row.message },
            { elapsedMs: now - (row.started_at ?? now), now },
            facts.durations(row.kind),
          )
        : null,
    error: row.error,
    children: {
      total: row.children,
      open: row.children_open,
      failed: row.children_failed,
      partial: row.children_partial,
    },
    output: { seq: row.output_seq, bytes: row.output_bytes, refused: row.output_refused },
    isCancelRequested: row.cancel_at !== null,
    createdAt: row.created_at,
    availableAt: row.available_at,
    startedAt: row.first_started_at,
    endedAt: isOver(row) ? row.ended_at : null,
    schedule: row.schedule,
    source: row.source,
    version: row.version,
    now,
    expiresAt,
  };
}
