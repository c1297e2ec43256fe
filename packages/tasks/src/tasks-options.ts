import type { Clock, IdSource, Store } from '@holdfast/store';
import type { KindOptions } from './kind.ts';
import type { TaskRetentionOptions } from './retention.ts';
import type { TaskChannels } from './task-channels.ts';
import type { TaskLogger } from './task-context.ts';
import type { TaskTables } from './task-module.ts';
import type { ChannelPosition } from './task-reader.ts';

/** What tasks are made of. Only `store` is needed. */
export interface TasksOptions {
  /** Opened with `taskModule` among its modules. */
  readonly store: Store<TaskTables>;
  /** Kinds by name. Others are refused. */
  readonly kinds?: Readonly<Record<string, KindOptions>>;
  /** For timers and, on SQLite, the time. @defaultValue the store's clock */
  readonly clock?: Clock;
  /** Unix milliseconds that all nodes agree on. @defaultValue the database's time */
  readonly now?: () => number;
  readonly ids?: IdSource;
  /** In [0, 1), for backoff and jitter. @defaultValue `Math.random` */
  readonly random?: () => number;
  /** @defaultValue no logging */
  readonly logger?: TaskLogger;
  /** @defaultValue `task:<id>#<owner>` and `tasks:#<owner>`, without the owner where there is none */
  readonly channels?: Partial<TaskChannels>;
  /** Where a channel stands, so that a snapshot can be continued. @defaultValue unknown */
  readonly position?: (channel: string) => Promise<ChannelPosition | undefined>;
  readonly retention?: TaskRetentionOptions;
  /** How often expired rows are looked for. @defaultValue 1000 */
  readonly sweepMs?: number;
  /** How often workers look for work that another process requested. @defaultValue 500 */
  readonly pollMs?: number;
  /** How long handlers may take to stop when the process stops. @defaultValue 10000 */
  readonly stopGraceMs?: number;
}
