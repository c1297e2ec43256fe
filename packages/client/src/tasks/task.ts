import type { TaskStatus, TaskView } from '@holdfast/protocol/tasks';

/** A task as it is shown: once the time that its view is good for is over, that counts. */
export interface Task extends TaskView {
  /**
   * Nothing was heard until the view's end, whatever the reason. A task that ran is `lost` then, with
   * the reason `no_news`; show no spinner for any.
   */
  readonly isOverdue: boolean;
}

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
