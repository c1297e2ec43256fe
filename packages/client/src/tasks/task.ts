/** What a task is about to the one who watches it. `docs/tasks.md` says what each means. */
export type TaskStatus =
  | 'queued'
  | 'pending'
  | 'retrying'
  | 'waiting_for_worker'
  | 'running'
  | 'cancelling'
  | 'waiting_for_children'
  | 'lost'
  | 'completed'
  | 'partial'
  | 'failed'
  | 'cancelled';

export interface TaskStep {
  readonly name: string;
  readonly weight: number;
  readonly state: 'pending' | 'current' | 'completed';
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Longest time for it; null for as long as the task may take. */
  readonly maxMs: number | null;
}

/** A task as the server told it. Times are Unix milliseconds by the server's clock. */
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
  /** Queue of others whose job this is, and can be changed there only; null for tasks of the server. */
  readonly source: string | null;
  /** Grows with every event. */
  readonly version: number;
  /** The server's time when it told this. */
  readonly now: number;
  /** After it the view says nothing any more. Null once it is over. */
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

/** What is read of a task beside its view. */
export interface TaskDetails {
  readonly payload: unknown;
  readonly result: unknown;
  readonly history: readonly TaskAttempt[];
  readonly parentIds: readonly string[];
  readonly childIds: readonly string[];
}

/** A task as it is shown: once the time that its view is good for is over, that counts. */
export interface Task extends TaskView {
  /**
   * Nothing was heard until the view's end, whatever the reason. A task that ran is `lost` then, with
   * the reason `no_news`; show no spinner for any.
   */
  readonly isOverdue: boolean;
}

export interface OutputChunk {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly attempt: number;
  /** What it is, for example `log` or `token`. */
  readonly type: string;
  readonly data: string;
  readonly at: number;
}

/** What comes through the channels of tasks. */
export type TaskEvent =
  | { readonly type: 'task'; readonly changes: readonly string[]; readonly task: TaskView }
  | { readonly type: 'output'; readonly id: string; readonly chunks: readonly OutputChunk[] }
  | { readonly type: 'deleted'; readonly id: string };

const runningStatuses: ReadonlySet<TaskStatus> = new Set(['running', 'cancelling']);

const fresh = new WeakMap<TaskView, Task>();
const overdue = new WeakMap<TaskView, Task>();

/** The task as it is to be shown at a time of the server. The same object for the same answer. */
export function taskAt<View extends TaskView>(view: View, now: number): View & Task {
  const isOverdue = view.expiresAt !== null && now >= view.expiresAt;
  const known = isOverdue ? overdue : fresh;
  const task = (known.get(view) ?? made(view, isOverdue)) as View & Task;
  known.set(view, task);
  return task;
}

function made(view: TaskView, isOverdue: boolean): Task {
  if (!isOverdue || !runningStatuses.has(view.status)) return { ...view, isOverdue };
  const since = view.expiresAt ?? view.since;
  return { ...view, isOverdue, status: 'lost', reason: 'no_news', since, remainingMs: null };
}
