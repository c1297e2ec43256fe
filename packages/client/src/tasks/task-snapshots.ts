import type { OutputChunk, TaskDetails } from '@holdfast/protocol/tasks';
import type { WatchState } from './live-watch.ts';
import { noOutput, type OutputState } from './output-state.ts';
import { maxItems, type TaskListState } from './task-list-state.ts';
import type { TaskState } from './task-state.ts';
import { type Task, taskAt } from './task.ts';

/** One task. Never changed in place: a new one after each change. */
export interface TaskSnapshot extends WatchState {
  /** Undefined until it was read. */
  readonly task: (Task & TaskDetails) | undefined;
  readonly isDeleted: boolean;
}

/** The user's tasks, as far as they were read. Never changed in place. */
export interface TaskListSnapshot extends WatchState {
  /** Newest first. */
  readonly items: readonly Task[];
  /** The list was read. */
  readonly isListed: boolean;
  /** There are older ones: `loadMore()`. */
  readonly hasMore: boolean;
}

/** A task's output, as far as it is held. Never changed in place. */
export interface OutputSnapshot extends WatchState {
  /** In order, without a gap. */
  readonly chunks: readonly OutputChunk[];
  /** All that is held, joined. */
  readonly text: string;
  /** Chunks that were let go here, the oldest, because there was no room. */
  readonly dropped: number;
  /** Chunks that the server refused, because the stream was full. */
  readonly refused: number;
  /** No more can come. */
  readonly isOver: boolean;
}

/** What a snapshot has beside its {@link WatchState}. */
export type Shown<Snapshot extends WatchState> = Omit<Snapshot, keyof WatchState>;

export function shownTask(state: TaskState | undefined, now: number): Shown<TaskSnapshot> {
  if (state === undefined) return { task: undefined, isDeleted: false };
  return { task: taskAt(state.task, now), isDeleted: state.isDeleted };
}

const nothing: readonly Task[] = [];
const listed = new WeakMap<readonly unknown[], readonly Task[]>();

/** The same list object while nothing in it changed. */
export function shownList(state: TaskListState | undefined, now: number): Shown<TaskListSnapshot> {
  if (state === undefined) return { items: nothing, isListed: false, hasMore: false };
  const items = state.items.map((item) => taskAt(item, now));
  const before = listed.get(state.items);
  const isSame = before !== undefined && before.every((item, index) => item === items[index]);
  if (!isSame) listed.set(state.items, items);
  const hasMore = state.nextCursor !== null && items.length < maxItems;
  return { items: isSame ? before : items, isListed: true, hasMore };
}

const texts = new WeakMap<readonly OutputChunk[], string>();

export function shownOutput(state: OutputState | undefined): Shown<OutputSnapshot> {
  const { chunks, dropped, refused, isOver } = state ?? nothingRead;
  const text = texts.get(chunks) ?? chunks.map(({ data }) => data).join('');
  texts.set(chunks, text);
  return { chunks, text, dropped, refused, isOver };
}

const nothingRead = noOutput('', 0);
const idle: WatchState = { status: 'loading', problem: undefined };

/** What is shown of what nobody has begun to watch. */
export const idleTask: TaskSnapshot = { ...idle, ...shownTask(undefined, 0) };
export const idleList: TaskListSnapshot = { ...idle, ...shownList(undefined, 0) };
export const idleOutput: OutputSnapshot = { ...idle, ...shownOutput(undefined) };
