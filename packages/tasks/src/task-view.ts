import {
  estimateRemainingMs,
  stepDeadline,
  wholeProgress,
  type Durations,
  type Step,
} from './progress.ts';
import type { StoredState, TaskRow } from './task-module.ts';

/** What a reader is told. Computed at the moment of reading; only the last four are final. */
export type TaskStatus =
  /** Follows a running task of the same key. */
  | 'queued'
  | 'pending'
  /** An attempt ended without success, and the next one is due. */
  | 'retrying'
  /** No worker of this kind is alive. */
  | 'waiting_for_worker'
  | 'running'
  /** Was asked to stop and has not stopped yet. */
  | 'cancelling'
  /** Its own work is done, its children's is not. */
  | 'waiting_for_children'
  /** Its worker fell silent; it will be retried or fail within a moment. */
  | 'lost'
  | 'completed'
  /** It is done, and some of its children were not successful. */
  | 'partial'
  | 'failed'
  | 'cancelled';

/** A task as everybody sees it who may see it. */
export interface TaskView {
  readonly id: string;
  readonly kind: string;
  readonly owner: string;
  readonly status: TaskStatus;
  readonly isOver: boolean;
  /** Short code of why, for example `lease_expired` or `no_worker`. */
  readonly reason: string | null;
  /** Unix milliseconds at which the status began. */
  readonly since: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** 0 to 1, of the current attempt. */
  readonly progress: number;
  readonly message: string | null;
  readonly steps: readonly Step[] | null;
  /** Milliseconds, from measured durations; null when nothing is known. */
  readonly remainingMs: number | null;
  readonly error: string | null;
  readonly children: {
    readonly total: number;
    readonly open: number;
    readonly failed: number;
    readonly partial: number;
  };
  readonly output: { readonly seq: number; readonly bytes: number; readonly refused: number };
  readonly isCancelRequested: boolean;
  readonly createdAt: number;
  readonly availableAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly schedule: string | null;
  /** Queue of others whose job this is; null for tasks of our own. */
  readonly source: string | null;
  /** Grows with every event of this task: a gap means that the task must be read again. */
  readonly version: number;
  /** The server's time. */
  readonly now: number;
  /**
   * Until when this view can be shown without hearing more. After it a client shows it no longer as
   * going on, and reads the task again. Null once it is over.
   */
  readonly expiresAt: number | null;
}

/** How earlier attempts ended. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly reason: string;
  readonly error: string | null;
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

const overStates: ReadonlySet<StoredState> = new Set([
  'completed',
  'partial',
  'failed',
  'cancelled',
]);
/** Views of tasks whose end nobody can promise are worth reading again so often. */
const recheckMs = 60_000;

/** Whether the stored state is final. */
export function isOver(row: Pick<TaskRow, 'state'>): boolean {
  return overStates.has(row.state);
}

interface Effective {
  readonly status: TaskStatus;
  readonly reason: string | null;
  readonly since: number;
  readonly expiresAt: number | null;
}

/** The plan of a row. */
export function stepsOf({ steps }: Pick<TaskRow, 'steps'>): readonly Step[] | null {
  return steps === null ? null : (JSON.parse(steps) as readonly Step[]);
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
