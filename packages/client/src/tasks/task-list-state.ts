import type { TaskEvent, TaskView } from '@holdfast/protocol/tasks';
import { overlaidView, type TaskChange, type TaskReceipt } from './task-state.ts';

/** Which of the user's tasks are listed. */
export interface TaskFilter {
  readonly kind?: string;
  /** Those that are going on, or those that are over. @defaultValue both */
  readonly phase?: 'live' | 'over';
}

export interface TaskListState {
  readonly filter: TaskFilter;
  /** Newest first. */
  readonly items: readonly TaskView[];
  /** Null when there are no older ones. */
  readonly nextCursor: string | null;
}

/** What is held of a list; older ones are left out beyond it. */
export const maxItems = 1000;

/** Every event carries the whole view, so that none is missed by a gap. */
export function appliedToList(state: TaskListState, event: TaskEvent): TaskListState {
  if (event.type === 'output') return state;
  const id = event.type === 'deleted' ? event.id : event.task.id;
  const known = state.items.find((item) => item.id === id);
  if (event.type === 'deleted' || !isListed(event.task, state.filter)) {
    if (known === undefined || (event.type === 'task' && event.task.version <= known.version)) {
      return state;
    }
    return { ...state, items: state.items.filter((item) => item !== known) };
  }
  const { task } = event;
  if (known !== undefined) {
    if (task.version <= known.version) return state;
    return { ...state, items: state.items.map((item) => (item === known ? task : item)) };
  }
  const oldest = state.items.at(-1);
  // It belongs to a page that was not read.
  if (state.nextCursor !== null && oldest !== undefined && task.id < oldest.id) return state;
  return bounded({ ...state, items: sorted([...state.items, task]) });
}

/** Joins the next page; of a task that both have, the newer version stays. */
export function withTasks(
  state: TaskListState,
  page: { readonly items: readonly TaskView[]; readonly nextCursor: string | null },
  events: readonly TaskEvent[],
): TaskListState {
  const known = new Map(page.items.map((item) => [item.id, item]));
  for (const item of state.items) {
    const other = known.get(item.id);
    if (other === undefined || other.version <= item.version) known.set(item.id, item);
  }
  const joined = bounded({
    ...state,
    items: sorted([...known.values()]),
    nextCursor: page.nextCursor,
  });
  return events.reduce(appliedToList, joined);
}

export function overlaidList(state: TaskListState, change: TaskChange): TaskListState {
  if (change.type === 'delete') {
    return { ...state, items: state.items.filter(({ id }) => id !== change.id) };
  }
  return { ...state, items: state.items.map((item) => overlaidView(item, change)) };
}

export function listContains({ items }: TaskListState, { id, version }: TaskReceipt): boolean {
  const item = items.find((one) => one.id === id);
  return item === undefined || (version !== null && item.version >= version);
}

function isListed(task: TaskView, { kind, phase }: TaskFilter): boolean {
  return (
    (kind === undefined || task.kind === kind) &&
    (phase === undefined || (phase === 'over') === task.isOver)
  );
}

function sorted(items: readonly TaskView[]): readonly TaskView[] {
  return items.toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

function bounded(state: TaskListState): TaskListState {
  if (state.items.length <= maxItems) return state;
  const items = state.items.slice(0, maxItems);
  return { ...state, items, nextCursor: items.at(-1)?.id ?? null };
}
