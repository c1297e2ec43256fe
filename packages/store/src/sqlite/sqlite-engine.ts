import { existsSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import {
  CompiledQuery,
  DummyDriver,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
} from 'kysely';
import { withDeadline, type Clock } from '../clock.ts';
import type { BackupProgress, Engine, EngineTransactionOptions } from '../engine.ts';
import { StoreError } from '../errors.ts';
import { makeFolder } from '../make-folder.ts';
import type { StoreMetrics } from '../metrics.ts';
import { Turnstile } from '../turnstile.ts';
import { backupSqlite } from './sqlite-backup.ts';
import { CommitQueue } from './commit-queue.ts';
import { findSetback, isOlder, markAsCurrent, putBack, takeUp } from './file-state.ts';
import { acquireOwnerLock, type OwnerLock } from './owner-lock.ts';
import { makePrivate } from './private-file.ts';
import { fromSqliteError } from './sqlite-errors.ts';
import { SqliteSession, StatementCache } from './sqlite-session.ts';

/** Settings of an SQLite store. */
export interface SqliteOptions {
  /**
   * What an acknowledged commit survives. `full` waits until the disk has it: it survives a power
   * failure. `normal` hands it to the operating system: it survives the death of the process by any
   * signal, and a power failure can undo the last commits (never tear one apart).
   * @defaultValue 'full'
   */
  readonly synchronous?: 'full' | 'normal';
  /** How long another process may hold the write lock before a write fails. @defaultValue 5000 */
  readonly lockTimeoutMs?: number;
  /** How long to wait for another server of the same file to stop. @defaultValue 10000 */
  readonly ownerWaitMs?: number;
  /** Most pages of 4,096 bytes that the file may grow to; 0 for no limit. @defaultValue 0 */
  readonly maxPages?: number;
}

export interface SqliteEngineOptions extends SqliteOptions {
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
  /** `server`: owns the file and may write. `tool`: reads beside a running server. */
  readonly role: 'server' | 'tool';
  readonly transactionTimeoutMs: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

const kysely: Dialect = {
  createDriver: () => new DummyDriver(),
  createAdapter: () => new SqliteAdapter(),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createIntrospector: (db) => new SqliteIntrospector(db),
};

/**
 * Opens the file, making it and its folder when there is none.
 * @throws {@link StoreError}
 */
export async function openSqliteEngine(
  file: string,
  options: SqliteEngineOptions,
): Promise<SqliteEngine> {
  let owner: OwnerLock | undefined;
  let writer: Database.Database | undefined;
  let setback: string | undefined;
  if (options.role === 'tool') assertFile(file);
  try {
    if (options.role === 'server') {
      makeFolder(path.dirname(file));
      makePrivate(file);
      owner = await acquireOwnerLock(file, {
        clock: options.clock,
        waitMs: options.ownerWaitMs ?? 10_000,
      });
      setback = findSetback(file);
      writer = new Database(file, { timeout: options.lockTimeoutMs ?? 5000 });
      writer.pragma('journal_mode = wal');
      writer.pragma(`synchronous = ${options.synchronous ?? 'full'}`);
      writer.pragma('foreign_keys = on');
      writer.pragma('trusted_schema = off');
      writer.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
      if (options.maxPages) writer.pragma(`max_page_count = ${options.maxPages}`);
      takeUp(writer, setback);
      // From here on the commit queue waits for locks, without stopping the event loop.
      writer.pragma('busy_timeout = 0');
    }
    const reader = new Database(file, { readonly: true, fileMustExist: true, timeout: 200 });
    return new SqliteEngine({ file, writer, reader, owner, setback }, options);
  } catch (error) {
    writer?.close();
    owner?.release();
    throw asOpenError(error, file);
  }
}

/**
 * For what works on a store that somebody has: a mistyped place must not become a new, empty one.
 * @throws {@link StoreError} `store_misconfigured`
 */
export function assertFile(file: string): void {
  if (existsSync(file)) return;
  throw new StoreError('store_misconfigured', `there is no database at ${file}`);
}

/** Codes of the operating system that say that files cannot be there. */
const refusals: ReadonlySet<string> = new Set([
  'ENOENT',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
]);

function asOpenError(error: unknown, file: string): unknown {
  if (error instanceof TypeError) {
    return new StoreError('store_misconfigured', `there is no database at ${file}`, {
      cause: error,
    });
  }
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && refusals.has(code)) {
    return new StoreError(
      'store_misconfigured',
      `${file} or its folder cannot be made or written (${code})`,
      { cause: error },
    );
  }
  return fromSqliteError(error, file);
}

interface Connections {
  readonly file: string;
  readonly writer: Database.Database | undefined;
  readonly reader: Database.Database;
  readonly owner: OwnerLock | undefined;
  readonly setback: string | undefined;
}

/** An SQLite file in WAL mode: one connection that writes, one that reads beside it. */
class SqliteEngine implements Engine {
  readonly name = 'sqlite';
  readonly label: string;
  readonly kysely: Dialect = kysely;
  readonly #connections: Connections;
  readonly #options: SqliteEngineOptions;
  readonly #writes: CommitQueue | undefined;
  readonly #readStatements: StatementCache;
  /** One reader after another: SQLite runs a statement at a time in this process anyway. */
  readonly #reads: Turnstile;
  /** Set while this process is a candidate. */
  #onWake: (() => void) | undefined;
  #problem: StoreError | undefined;
  #isClosed = false;

  constructor(connections: Connections, options: SqliteEngineOptions) {
    this.label = `SQLite ${connections.file}`;
    this.#connections = connections;
    this.#options = options;
    this.#readStatements = new StatementCache(connections.reader);
    this.#reads = new Turnstile({ ...options, slots: 1 });
    const { writer } = connections;
    this.#writes =
      writer &&
      new CommitQueue(writer, {
        clock: options.clock,
        metrics: options.metrics,
        maxWaiting: options.maxWaiting,
        maxWaitMs: options.maxWaitMs,
        lockTimeoutMs: options.lockTimeoutMs ?? 5000,
        maxBatch: 256,
        maxBatchMs: 8,
      });
    options.metrics.connections = writer === undefined ? 1 : 2;
  }

  async write<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    options: EngineTransactionOptions = {},
  ): Promise<T> {
    if (this.#writes === undefined) {
      throw new StoreError('store_not_supported', 'this store was opened for reading only');
    }
    try {
      const value = await this.#writes.run(
        work,
        options.timeoutMs ?? this.#options.transactionTimeoutMs,
      );
      this.#problem = undefined;
      return value;
    } catch (error) {
      if (error instanceof StoreError && error.httpStatus >= 500) this.#problem = error;
      throw error;
    }
  }

  read<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    options: EngineTransactionOptions = {},
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#options.transactionTimeoutMs;
    return this.#reads.run(() => this.#readNow(work, timeoutMs));
  }

  readOnce<T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> {
    return this.read(work);
  }

  async #readNow<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    timeoutMs: number,
  ): Promise<T> {
    const { reader, file } = this.#connections;
    const session = new SqliteSession(this.#readStatements, file);
    try {
      this.#readStatements.get('begin').run();
      if (timeoutMs === 0) return await work(session);
      return await withDeadline(work(session), timeoutMs, {
        clock: this.#options.clock,
        onDeadline: () =>
          new StoreError('store_timeout', `a read took longer than ${timeoutMs} ms`),
      });
    } catch (error) {
      throw fromSqliteError(error, file);
    } finally {
      session.end();
      if (reader.inTransaction) this.#readStatements.get('rollback').run();
    }
  }

  /** Nothing to do: writes come one after another. */
  async lock(): Promise<void> {}

  whenLocked(): undefined {}

  async tryLock(): Promise<readonly bigint[]> {
    return [];
  }

  runForLeader(onWake: () => void): () => Promise<void> {
    this.#onWake = onWake;
    onWake();
    return () => {
      this.#onWake = undefined;
      return Promise.resolve();
    };
  }

  /** The owner of the file is the only candidate there can be. */
  isLeader(): boolean {
    return this.#onWake !== undefined && this.#writes !== undefined && !this.#isClosed;
  }

  wakeLeader(): void {
    this.#onWake?.();
  }

  async findSetback(connection: DatabaseConnection): Promise<string | undefined> {
    const { rows } = await connection.executeQuery<{ user_version: number }>(
      CompiledQuery.raw('pragma user_version'),
    );
    if (!isOlder(rows[0]?.user_version ?? 0)) return undefined;
    return this.#connections.setback ?? 'an earlier start found it so, and did not finish';
  }

  async endSetback(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(markAsCurrent));
  }

  problem(): StoreError | undefined {
    return this.#problem;
  }

  backup(target: string, onProgress?: BackupProgress): Promise<void> {
    return backupSqlite(this.#connections.file, target, onProgress);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writes?.close();
    await this.#reads.close();
    this.#connections.reader.close();
    const { writer } = this.#connections;
    if (writer !== undefined) putBack(writer);
    writer?.close();
    this.#connections.owner?.release();
    this.#options.metrics.connections = 0;
  }
}
