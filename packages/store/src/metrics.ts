import type { StoreErrorCode } from './errors.ts';

/** What the store counts, as plain numbers that are read at scrape time. */
export class StoreMetrics {
  /** Transactions committed. */
  commits = 0;
  /** Transactions rolled back, for whatever reason. */
  rollbacks = 0;
  /** Commits of the database; below `commits` when SQLite writes were committed in groups. */
  databaseCommits = 0;
  /** Time spent in the database's commit, with its wait for the disk. */
  commitMsTotal = 0;
  commitMsMax = 0;
  reads = 0;
  /** Transactions and reads that wait for their turn right now. */
  waiting = 0;
  /** Transactions repeated because the database rolled them back to resolve a conflict. */
  conflictRetries = 0;
  /** Times the connection to the database was found broken. */
  connectionsLost = 0;
  /** Database connections open right now. */
  connections = 0;
  readonly errors: Map<StoreErrorCode, number> = new Map();
  readonly outbox: OutboxMetrics = {
    appended: 0,
    published: 0,
    failures: 0,
    rejected: 0,
    discarded: 0,
    waiting: 0,
    oldestMs: 0,
    blockedChannels: 0,
  };

  countError(code: StoreErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  recordCommit(durationMs: number): void {
    this.databaseCommits += 1;
    this.commitMsTotal += durationMs;
    if (durationMs > this.commitMsMax) this.commitMsMax = durationMs;
  }
}

/** What the outbox does, in this process, as plain numbers. */
export interface OutboxMetrics {
  /** Events committed by this process. */
  appended: number;
  /** Events that the broker took, published by this process. */
  published: number;
  /** Publishes that failed and will be tried again. */
  failures: number;
  /** Events that can never be published, now in the dead letters. */
  rejected: number;
  /** Events dropped because they were too old or too many. */
  discarded: number;
  /** Lag: events that wait to be published. Measured by the process that publishes. */
  waiting: number;
  /** Lag: age of the oldest one, in milliseconds. */
  oldestMs: number;
  /** Channels whose publishes are failing. */
  blockedChannels: number;
}
