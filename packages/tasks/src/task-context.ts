import type { Clock, IdSource, Store } from '@holdfast/store';
import type { GroupCommit } from './group-commit.ts';
import type { Kind } from './kind.ts';
import type { Durations } from './progress.ts';
import type { TaskTables } from './task-module.ts';
import type { WorkerCount } from './task-view.ts';
import type { TaskChannels } from './task-channels.ts';
import type { TaskMetrics } from './task-metrics.ts';

/** Structured log lines, the subset of pino's interface that tasks need. */
export interface TaskLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What everything in this package works with. */
export interface TaskContext {
  readonly store: Store<TaskTables>;
  /** Unix milliseconds that all nodes agree on. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly ids: IdSource;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: TaskLogger;
  readonly channels: TaskChannels;
  readonly metrics: TaskMetrics;
  /** Where changes of tasks go that need nothing but rows. */
  readonly group: GroupCommit;
  /** The kind, or its defaults when this node does not know it. */
  readonly kind: (name: string) => Kind;
  readonly isKnown: (name: string) => boolean;
  /** As of the last look; events are made with it. */
  readonly workers: (kind: string) => WorkerCount;
  readonly durations: (kind: string) => Durations;
  /** Called when tasks of these kinds may be claimable. */
  readonly wake: (kinds: Iterable<string>) => void;
}
