import type { TaskDetails, TaskEvent, TaskView } from '@holdfast/protocol/tasks';

/** What is known of one task. */
export interface TaskState {
  readonly task: TaskView & TaskDetails;
  readonly isDeleted: boolean;
  /** The details are those of an earlier version, and are being read. */
  readonly isBehind: boolean;
}

/** What a user may change of a task. */
export type TaskChange =
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'delete'; readonly id: string };

/** What the server answered to a change: the version that contains it, or null for a deletion. */
export interface TaskReceipt {
  readonly id: string;
  readonly version: number | null;
}

/** Every event carries the whole view, so that none is missed by a gap. */
export function appliedToTask(state: TaskState, event: TaskEvent): TaskState {
  const { task } = state;
  if (event.type === 'deleted') {
    return event.id === task.id && !state.isDeleted ? { ...state, isDeleted: true } : state;
  }
  if (event.type !== 'task' || event.task.id !== task.id || event.task.version <= task.version) {
    return state;
  }
  const view = event.task;
  const isBehind =
    state.isBehind ||
    view.isOver !== task.isOver ||
    view.attempt !== task.attempt ||
    view.status === 'retrying' ||
    view.children.total !== task.children.total;
  return { task: { ...task, ...view }, isDeleted: false, isBehind };
}

/** The view as it will be once a change was carried out. */
export function overlaidView<View extends TaskView>(view: View, change: TaskChange): View {
  if (change.type !== 'cancel' || change.id !== view.id || view.isOver) return view;
  return { ...view, status: 'cancelling', isCancelRequested: true, remainingMs: null };
}

export function overlaidTask(state: TaskState, change: TaskChange): TaskState {
  if (change.id !== state.task.id) return state;
  if (change.type === 'delete') return { ...state, isDeleted: true };
  const task = overlaidView(state.task, change);
  return task === state.task ? state : { ...state, task };
}

export function taskContains({ task, isDeleted }: TaskState, { version }: TaskReceipt): boolean {
  return isDeleted || (version !== null && task.version >= version);
}
