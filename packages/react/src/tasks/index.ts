/**
 * A user's tasks in React: hooks, a progress and a list.
 *
 * @module
 */
export { type TaskLabels } from './task-labels.ts';
export * from './task-list.tsx';
export * from './task-progress.tsx';
export * from './tasks-provider.tsx';
export * from './use-task.ts';
