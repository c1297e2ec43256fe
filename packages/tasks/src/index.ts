/**
 * Tasks whose status cannot get stuck: leases, trees, progress, output, workers and schedules.
 *
 * @module
 */
export type {
  OutputChunk,
  TaskAttempt,
  TaskChange,
  TaskDetails,
  TaskEvent,
  TaskStatus,
  TaskStep,
  TaskView,
} from '@holdfast/protocol/tasks';
export type { Batch, BatchedRequest, BatchOptions } from './batch.ts';
export type { ClaimedTask, ClaimOptions, Lease } from './claim.ts';
export type { DoctorOptions, Finding } from './doctor.ts';
export * from './errors.ts';
export {
  examineForeignTable,
  type ForeignDatabase,
  type ForeignPostgres,
  type ForeignSqlite,
  type ForeignTable,
} from './foreign-doctor.ts';
export { unionWindow, type KindOptions, type Window } from './kind.ts';
export type { Failure, LeaseState, OutputPart, OutputState } from './lease-writes.ts';
export type { HandleOptions } from './local-worker.ts';
export { createTasksHandler, type TasksHandlerOptions } from './http/handler.ts';
export { tasksOpenApi } from './http/open-api.ts';
export type { ProgressUpdate, StepPlan } from './progress.ts';
export type { TaskAnswer, TaskRequest, UserTaskRequest } from './task-request.ts';
export type { TaskRetentionOptions } from './retention.ts';
export type { RetryOptions } from './retry.ts';
export { assertRule as assertScheduleRule, type ScheduleRule } from './schedules/schedule-rule.ts';
export type { ScheduleRun, Schedules, ScheduleView } from './schedules/schedules.ts';
export { ownerOnlyChannels, type TaskChannels } from './task-channels.ts';
export type { TaskLogger } from './task-context.ts';
export { TaskMetrics } from './task-metrics.ts';
export { taskModule, type TaskAuditTable, type TaskTables } from './task-module.ts';
export type {
  KindView,
  OutputPage,
  StarvedKind,
  TaskFilter,
  TaskPage,
  TaskSnapshot,
} from './task-reads.ts';
export type { StopReason, TaskHandler, TaskTools } from './task-run.ts';
export type { AttemptRecord } from './task-view.ts';
export type { ChannelPosition, Continued } from './task-reader.ts';
export type { TasksOptions } from './tasks-options.ts';
export { createTasks, type Tasks } from './tasks.ts';
export type { JobChanges, JobSighting, JobSource } from './sources/job-source.ts';
export type { TaskContext } from './task-context.ts';
export { createWorkerApi, type WorkerApiOptions } from './worker-api.ts';
export { answerWorker, workerCalls, type WorkerBody, type WorkerCall } from './worker-calls.ts';
export type { WorkerSign, WorkerView } from './worker-registry.ts';
