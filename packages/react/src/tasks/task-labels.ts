import { createContext, useContext } from 'react';
import type { Task } from '@holdfast/client/tasks';

/** Every word that the components say, for other languages. */
export interface TaskLabels {
  /** BCP 47, for times and numbers. @defaultValue the browser's language */
  readonly locale: string | undefined;
  /** What a task is called. @defaultValue its kind, in words */
  readonly name: (task: Task) => string;
  readonly queued: string;
  readonly pending: string;
  readonly startsAt: (time: string) => string;
  readonly retrying: (task: Task) => string;
  readonly waitingForWorker: (since: string) => string;
  readonly running: string;
  readonly cancelling: string;
  readonly waitingForChildren: (open: number, total: number) => string;
  readonly noNews: (since: string) => string;
  readonly lost: string;
  readonly completed: string;
  readonly partial: (failed: number, total: number) => string;
  readonly failed: string;
  readonly cancelled: string;
  /** A short code of why, in words; undefined for codes that say nothing to a user. */
  readonly reason: (code: string) => string | undefined;
  readonly attempt: (attempt: number, most: number) => string;
  readonly left: (time: string) => string;
  readonly took: (time: string) => string;
  readonly steps: string;
  readonly stepDone: string;
  readonly stepCurrent: string;
  readonly stepPending: string;
  readonly cancel: string;
  readonly cancelOne: (name: string) => string;
  readonly removeOne: (name: string) => string;
  readonly detailsOf: (name: string) => string;
  readonly title: string;
  readonly loading: string;
  readonly loadMore: string;
  readonly empty: string;
  readonly emptyHint: string;
  readonly deleted: string;
  readonly stale: string;
  readonly failedToRead: string;
  readonly notFound: string;
  readonly retry: string;
  readonly changeFailed: string;
}

const reasons: Readonly<Record<string, string>> = {
  lease_expired: 'its worker fell silent',
  max_runtime: 'it took too long',
  step_timeout: 'one of its steps took too long',
  no_worker: 'no worker came in time',
  children_failed: 'all of its parts failed',
  superseded: 'a newer request took its place',
};

export const defaultTaskLabels: TaskLabels = {
  locale: undefined,
  name: ({ kind }) => inWords(kind),
  queued: 'Next, after the one that runs',
  pending: 'Waiting to start',
  startsAt: (time) => `Starts at ${time}`,
  retrying: ({ attempt, maxAttempts }) =>
    `Trying again: attempt ${Math.min(attempt + 1, maxAttempts)} of ${maxAttempts}`,
  waitingForWorker: (since) => `Waiting for a worker since ${since}`,
  running: 'Running',
  cancelling: 'Stopping',
  waitingForChildren: (open, total) => `Waiting for ${open} of ${total} parts`,
  noNews: (since) => `No news since ${since}`,
  lost: 'Its worker fell silent',
  completed: 'Done',
  partial: (failed, total) => `Done, but ${failed} of ${total} parts failed`,
  failed: 'Failed',
  cancelled: 'Cancelled',
  reason: (code) => reasons[code],
  attempt: (attempt, most) => `attempt ${attempt} of ${most}`,
  left: (time) => `about ${time} left`,
  took: (time) => `took ${time}`,
  steps: 'Steps',
  stepDone: 'done',
  stepCurrent: 'going on',
  stepPending: 'to come',
  cancel: 'Cancel',
  cancelOne: (name) => `Cancel: ${name}`,
  removeOne: (name) => `Delete: ${name}`,
  detailsOf: (name) => `Details: ${name}`,
  title: 'Tasks',
  loading: 'Loading',
  loadMore: 'Show older',
  empty: 'No tasks',
  emptyHint: 'What is being done for you will appear here.',
  deleted: 'This task was deleted.',
  stale: 'Not connected. This is how things were last.',
  failedToRead: 'This cannot be shown.',
  notFound: 'There is no such task.',
  retry: 'Try again',
  changeFailed: 'That did not work, and was taken back.',
};

/** `annual_report` is “Annual report”. */
function inWords(kind: string): string {
  const words = kind.replaceAll(/[_.:-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const TaskLabelsContext: ReturnType<typeof createContext<TaskLabels>> =
  createContext(defaultTaskLabels);

export function useTaskLabels(): TaskLabels {
  return useContext(TaskLabelsContext);
}
