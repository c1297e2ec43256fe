/**
 * Everything that can be refused by tasks, in one table.
 *
 * @module
 */

/** What is known about a code without looking at the error. */
export interface TaskErrorRow {
  /** Whether the same call can succeed later without anybody changing it. */
  readonly retryable: boolean;
  /** What an HTTP API answers. */
  readonly httpStatus: number;
  /** What an RPC over the connection answers. */
  readonly rpcCode: number;
  /** What to do about it. */
  readonly remedy: string;
}

/** What is wrong with a request: a key of {@link taskErrorCodes}. */
export type TaskErrorCode =
  | 'task_not_found'
  | 'task_unknown_kind'
  | 'task_bad_request'
  | 'task_too_large'
  | 'task_fenced'
  | 'task_bad_progress'
  | 'task_cycle'
  | 'task_parent_over'
  | 'task_not_over'
  | 'task_followed'
  | 'task_unauthorized'
  | 'task_forbidden'
  | 'task_too_many'
  | 'schedule_not_found'
  | 'schedule_invalid';

/** Codes of {@link TaskError}. `docs/tasks.md` lists them; a test proves that both agree. */
export const taskErrorCodes: Readonly<Record<TaskErrorCode, TaskErrorRow>> = {
  /** No task has this id: it never existed, or it ended and was deleted by retention. */
  task_not_found: { retryable: false, httpStatus: 404, rpcCode: 1404, remedy: 'check the id' },
  /** The kind is not registered on this server. */
  task_unknown_kind: {
    retryable: false,
    httpStatus: 400,
    rpcCode: 1402,
    remedy: 'register the kind, or correct its name',
  },
  /** A request whose fields cannot be used. The message names the field. */
  task_bad_request: {
    retryable: false,
    httpStatus: 400,
    rpcCode: 1400,
    remedy: 'correct the request',
  },
  /** A payload, result or output chunk over its limit. */
  task_too_large: {
    retryable: false,
    httpStatus: 413,
    rpcCode: 1413,
    remedy: 'store the data elsewhere and pass a reference, or raise the limit of the kind',
  },
  /** The lease of this attempt is over: it expired, was cut off, or somebody else has the task. */
  task_fenced: {
    retryable: false,
    httpStatus: 409,
    rpcCode: 1409,
    remedy: 'stop working on this task and discard what was done; do not try again',
  },
  /** Progress that is not a number from 0 to 1, or names a step that does not exist. */
  task_bad_progress: {
    retryable: false,
    httpStatus: 400,
    rpcCode: 1403,
    remedy: 'correct the worker',
  },
  /** A child that would wait for its own parent. */
  task_cycle: {
    retryable: false,
    httpStatus: 409,
    rpcCode: 1406,
    remedy: 'give the child another key than the tasks that wait for it',
  },
  /** A child was requested for a parent that has ended or is being cancelled. */
  task_parent_over: {
    retryable: false,
    httpStatus: 409,
    rpcCode: 1407,
    remedy: 'request it without a parent',
  },
  /** Something that only an ended task allows. */
  task_not_over: {
    retryable: true,
    httpStatus: 409,
    rpcCode: 1408,
    remedy: 'cancel the task first, or wait',
  },
  /** A job of another queue: it is only shown here. */
  task_followed: {
    retryable: false,
    httpStatus: 409,
    rpcCode: 1410,
    remedy: 'do it in the queue of the job',
  },
  /** A worker without a valid token. */
  task_unauthorized: {
    retryable: false,
    httpStatus: 401,
    rpcCode: 1401,
    remedy: 'send the worker token',
  },
  /** A user asked for a kind that is not open to users. */
  task_forbidden: {
    retryable: false,
    httpStatus: 403,
    rpcCode: 1420,
    remedy: 'let the application ask, or open the kind to users',
  },
  /** A user has as many tasks of this kind as a user may have, or too many readers follow output. */
  task_too_many: {
    retryable: true,
    httpStatus: 429,
    rpcCode: 1421,
    remedy: 'wait until some of them are over',
  },
  /** No schedule has this name. */
  schedule_not_found: {
    retryable: false,
    httpStatus: 404,
    rpcCode: 1414,
    remedy: 'check the name',
  },
  /** A schedule that can never run or cannot be read. The message says why. */
  schedule_invalid: {
    retryable: false,
    httpStatus: 400,
    rpcCode: 1415,
    remedy: 'correct the schedule',
  },
};

/** The only error that functions of this package reject with, apart from errors of the store. */
export class TaskError extends Error {
  override readonly name = 'TaskError';
  readonly code: TaskErrorCode;
  readonly retryable: boolean;
  readonly httpStatus: number;

  constructor(code: TaskErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    const row = taskErrorCodes[code];
    super(`${message} (${code}: ${row.remedy})`, options);
    this.code = code;
    this.retryable = row.retryable;
    this.httpStatus = row.httpStatus;
  }
}
