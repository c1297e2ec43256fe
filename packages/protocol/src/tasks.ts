/**
 * What a server tells of tasks: in the answers of its HTTP interface, and in the events of their
 * channels. `docs/tasks.md` says what each status means, and what to do about it.
 *
 * @module
 */

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

/** A part of the work, as planned and as far as it is. */
export interface TaskStep {
  readonly name: string;
  /** Share of the whole, in any unit. */
  readonly weight: number;
  /** Longest time for it; null for as long as the task may take. */
  readonly maxMs: number | null;
  readonly state: 'pending' | 'current' | 'completed';
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** A task as everybody sees it who may see it. Times are Unix milliseconds by the server's clock. */
export interface TaskView {
  readonly id: string;
  readonly kind: string;
  readonly owner: string;
  readonly status: TaskStatus;
  readonly isOver: boolean;
  /** Short code of why, for example `lease_expired` or `no_worker_alive`. */
  readonly reason: string | null;
  /** When the status began. */
  readonly since: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** 0 to 1, of the current attempt. */
  readonly progress: number;
  readonly message: string | null;
  readonly steps: readonly TaskStep[] | null;
  /** From measured durations, as of `now`; null when nothing is known. */
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
  /** Queue of others whose job this is, and can be changed there only; null for the server's own. */
  readonly source: string | null;
  /** Grows with every event of this task: a gap means that the task must be read again. */
  readonly version: number;
  /** The server's time when it told this. */
  readonly now: number;
  /**
   * Until when this view can be shown without hearing more. After it a client shows it no longer as
   * going on, and reads the task again. Null once it is over.
   */
  readonly expiresAt: number | null;
}

/** How an earlier attempt ended. */
export interface TaskAttempt {
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly reason: string;
  readonly error: string | null;
}

/** What is told of a task beside its view when it is read by its id. */
export interface TaskDetails {
  readonly payload: unknown;
  readonly result: unknown;
  /** The last twenty. */
  readonly history: readonly TaskAttempt[];
  readonly parentIds: readonly string[];
  readonly childIds: readonly string[];
}

/** A piece of a task's output. */
export interface OutputChunk {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly attempt: number;
  /** What it is, for example `log` or `token`. */
  readonly type: string;
  readonly data: string;
  readonly at: number;
}

/** What happened to a task, as named in events. */
export type TaskChange =
  | 'queued'
  | 'pending'
  | 'started'
  | 'alive'
  | 'progress'
  | 'children'
  | 'cancelling'
  | 'waiting'
  | 'lost'
  | 'retrying'
  | 'released'
  | 'completed'
  | 'partial'
  | 'failed'
  | 'cancelled';

/** What comes through the channels of tasks. */
export type TaskEvent =
  | {
      readonly type: 'task';
      /** In the order they happened. */
      readonly changes: readonly TaskChange[];
      readonly task: TaskView;
    }
  | { readonly type: 'output'; readonly id: string; readonly chunks: readonly OutputChunk[] }
  | { readonly type: 'deleted'; readonly id: string };
