import type { Database as SqliteDatabase } from 'better-sqlite3';
import { after, delay, withDeadline, type Clock } from '../clock.ts';
import { StoreError } from '../errors.ts';
import type { StoreMetrics } from '../metrics.ts';
import { fromSqliteError, isBusy } from './sqlite-errors.ts';
import { SqliteSession, StatementCache } from './sqlite-session.ts';

export interface CommitQueueOptions {
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
  /** Transactions that may wait; one more is refused with `store_busy`. */
  readonly maxWaiting: number;
  /** How long a transaction may wait for its turn. */
  readonly maxWaitMs: number;
  /** How long another process may hold the database's write lock. */
  readonly lockTimeoutMs: number;
  /** Transactions committed together. */
  readonly maxBatch: number;
  /** A batch is committed when it has run this long, so that the first one's wait stays short. */
  readonly maxBatchMs: number;
}

interface Entry {
  readonly work: (session: SqliteSession) => Promise<unknown>;
  readonly timeoutMs: number;
  readonly waitsUntil: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  value: unknown;
}

/**
 * The single writer of an SQLite database. Transactions run one after another in the order they
 * came. Those that are waiting when one begins share its commit, and so one wait for the disk; each
 * is atomic on its own (a savepoint) and is answered only when the commit is on disk.
 */
export class CommitQueue {
  readonly #database: SqliteDatabase;
  readonly #options: CommitQueueOptions;
  readonly #statements: StatementCache;
  readonly #waiting: Entry[] = [];
  #isRunning = false;
  #isClosed = false;
  #stopSweep: (() => void) | undefined;
  #idle: Promise<void> = Promise.resolve();

  constructor(database: SqliteDatabase, options: CommitQueueOptions) {
    this.#database = database;
    this.#options = options;
    this.#statements = new StatementCache(database);
  }

  /** @param timeoutMs how long `work` may take once it runs; 0 for no limit */
  run<T>(work: (session: SqliteSession) => Promise<T>, timeoutMs: number): Promise<T> {
    if (this.#isClosed)
      return Promise.reject(new StoreError('store_closed', 'the store is closed'));
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(
        new StoreError('store_busy', `${this.#waiting.length} transactions are waiting already`),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        work,
        timeoutMs,
        waitsUntil: this.#options.clock.monotonic() + this.#options.maxWaitMs,
        resolve: resolve as (value: unknown) => void,
        reject,
        value: undefined,
      });
      this.#options.metrics.waiting += 1;
      this.#sweepLater();
      if (!this.#isRunning) {
        this.#isRunning = true;
        this.#idle = this.#drain();
      }
    });
  }

  /** Resolves when everything that was accepted is answered; refuses whatever comes later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#idle;
    this.#stopSweep?.();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#runBatch();
        // Sockets and timers get their turn between two batches.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #runBatch(): Promise<void> {
    const { clock, maxBatch, maxBatchMs, metrics } = this.#options;
    try {
      await this.#begin();
    } catch (error) {
      const entry = this.#take();
      if (entry !== undefined) this.#reject(entry, fromSqliteError(error, this.#database.name));
      return;
    }
    const done: Entry[] = [];
    const startedAt = clock.monotonic();
    let tried = 0;
    while (tried < maxBatch && (tried === 0 || clock.monotonic() - startedAt < maxBatchMs)) {
      const entry = this.#take();
      if (entry === undefined) break;
      tried += 1;
      const failure = await this.#runEntry(entry);
      if (failure === undefined) {
        done.push(entry);
        continue;
      }
      this.#reject(entry, failure.error);
      // A full disk and some other failures make SQLite roll back the whole transaction.
      if (!this.#database.inTransaction) {
        for (const loser of done) this.#reject(loser, failure.error);
        return;
      }
    }
    try {
      const commitStartedAt = clock.monotonic();
      this.#statements.get('commit').run();
      metrics.recordCommit(clock.monotonic() - commitStartedAt);
    } catch (error) {
      if (this.#database.inTransaction) this.#statements.get('rollback').run();
      for (const loser of done) this.#reject(loser, fromSqliteError(error, this.#database.name));
      return;
    }
    metrics.commits += done.length;
    for (const entry of done) entry.resolve(entry.value);
  }

  /** Waits in the event loop, not in SQLite's own busy handler, which would stop the process. */
  async #begin(): Promise<void> {
    const { clock, lockTimeoutMs } = this.#options;
    const deadline = clock.monotonic() + lockTimeoutMs;
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
      try {
        this.#statements.get('begin immediate').run();
        return;
      } catch (error) {
        if (!isBusy(error) || clock.monotonic() >= deadline) throw error;
      }
      await delay(clock, waitMs);
    }
  }

  /** Leaves the entry's changes in the open transaction, or undoes them and returns why. */
  async #runEntry(entry: Entry): Promise<{ readonly error: unknown } | undefined> {
    const session = new SqliteSession(this.#statements, this.#database.name);
    try {
      this.#statements.get('savepoint entry').run();
      const work = entry.work(session);
      entry.value = await (entry.timeoutMs > 0 ? this.#bounded(work, entry.timeoutMs) : work);
      if (session.failure !== undefined) throw session.failure;
      session.end();
      this.#statements.get('release entry').run();
      return undefined;
    } catch (error) {
      session.end();
      if (this.#database.inTransaction) {
        this.#statements.get('rollback to entry').run();
        this.#statements.get('release entry').run();
      }
      return { error: fromSqliteError(error, this.#database.name) };
    }
  }

  #bounded<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    return withDeadline(work, timeoutMs, {
      clock: this.#options.clock,
      onDeadline: () =>
        new StoreError('store_timeout', `a transaction took longer than ${timeoutMs} ms`),
    });
  }

  #reject(entry: Entry, error: unknown): void {
    this.#options.metrics.rollbacks += 1;
    entry.reject(error);
  }

  #take(): Entry | undefined {
    const entry = this.#waiting.shift();
    if (entry !== undefined) this.#options.metrics.waiting -= 1;
    return entry;
  }

  /** Rejects those whose wait is over. All wait equally long, so the first in line is the oldest. */
  #sweepLater(): void {
    const [first] = this.#waiting;
    if (this.#stopSweep !== undefined || first === undefined) return;
    const { clock, maxWaitMs } = this.#options;
    this.#stopSweep = after(clock, Math.max(first.waitsUntil - clock.monotonic(), 1), () => {
      this.#stopSweep = undefined;
      const now = clock.monotonic();
      while (this.#waiting[0] !== undefined && this.#waiting[0].waitsUntil <= now) {
        const entry = this.#take();
        if (entry === undefined) break;
        this.#reject(
          entry,
          new StoreError('store_busy', `a transaction waited ${maxWaitMs} ms for its turn`),
        );
      }
      this.#sweepLater();
    });
  }
}
