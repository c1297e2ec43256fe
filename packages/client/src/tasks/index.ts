/**
 * A user's tasks in a page: asked for, watched, cancelled; with their output.
 *
 * @module
 */
export { createUserApi } from '../user-api.ts';
export type { UserApi, UserApiCall, UserApiOptions } from '../user-api.ts';
export type { Backoff } from '../live/backoff.ts';
export type { LiveStoreOptions } from '../live/live-options.ts';
export type { LiveStatus } from '../live/live-store.ts';
export type { Watch, WatchState } from './live-watch.ts';
export type { TaskAnswer, TaskRequest } from './task-api.ts';
export type { TaskFilter } from './task-list-state.ts';
export type { OutputSnapshot, TaskListSnapshot, TaskSnapshot } from './task-snapshots.ts';
export * from './task-store.ts';
export type { Task } from './task.ts';
export type {
  OutputChunk,
  TaskAttempt,
  TaskDetails,
  TaskStatus,
  TaskStep,
  TaskView,
} from '@holdfast/protocol/tasks';
