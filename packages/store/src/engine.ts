import type { DatabaseConnection, Dialect as KyselyDialect, RawBuilder, SqlBool } from 'kysely';
import { StoreError } from './errors.ts';

/** Which database a store is on. */
export type DialectName = 'sqlite' | 'postgres';

export interface EngineTransactionOptions {
  /** Replaces the transaction's deadline; 0 for none (migrations, moves, checks). */
  readonly timeoutMs?: number;
  /**
   * Replaces the time that a statement may wait for a lock, where transactions run beside each other:
   * on SQLite they come one after another.
   */
  readonly lockTimeoutMs?: number;
}

/** Told how far a backup is. */
export type BackupProgress = (done: {
  readonly bytes: number;
  readonly totalBytes: number;
}) => void;

/**
 * One database, reduced to what the store needs of it. Both implementations keep the same promises,
 * so that code written against one behaves the same on the other:
 *
 * - a write is all or nothing, and durable when its promise resolves;
 * - after one statement failed the transaction is over: later statements are refused and it is
 *   rolled back, even when the work swallowed the error;
 * - statements that come after the end are refused;
 * - waiting for a connection or a lock is bounded in number and time.
 */
export interface Engine {
  readonly name: DialectName;
  /** For messages; contains no credentials. */
  readonly label: string;
  /** Adapter, query compiler and introspector of Kysely; its driver is not used. */
  readonly kysely: KyselyDialect;
  /**
   * Runs `work` in a transaction that may write. `work` can be called again when the database rolled
   * it back to resolve a conflict, so it must change nothing but the database.
   */
  write<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    options?: EngineTransactionOptions,
  ): Promise<T>;
  /** Runs `work` on one unchanging state of the database. Writes are refused by the database. */
  read<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    options?: EngineTransactionOptions,
  ): Promise<T>;
  /** The same for one single statement, which sees one state of the database by itself. */
  readOnce<T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T>;
  /**
   * Waits until no other open transaction, in any process, holds one of these keys, and holds them
   * until this transaction ended. Keys of one call are taken in one fixed order, so that two such
   * calls never wait for each other; a transaction that calls it twice can.
   */
  lock(connection: DatabaseConnection, keys: readonly bigint[]): Promise<void>;
  /**
   * The same as a condition of the statement that needs them, which saves it a way to the database: it
   * is true, and is settled before the first row is made. Undefined where nobody else can hold them.
   */
  whenLocked(keys: readonly bigint[]): RawBuilder<SqlBool> | undefined;
  /**
   * Takes those of these keys that nobody else holds, without waiting.
   * @returns those that somebody else holds
   */
  tryLock(connection: DatabaseConnection, keys: readonly bigint[]): Promise<readonly bigint[]>;
  /**
   * Makes this process a candidate: from now on it can become the leader, which runs what only one
   * may run. Whoever does not call it never leads, so that a process which cannot publish is never
   * waited for.
   * @param onWake called when it becomes the leader or is woken as one
   * @returns the function that gives leadership and candidacy up; never rejects
   */
  runForLeader(onWake: () => void): () => Promise<void>;
  /** Whether this process is the leader. */
  isLeader(): boolean;
  /** Tells the leader, wherever it is, that there is something to do. Never rejects, may get lost. */
  wakeLeader(): void;
  /**
   * Writes a copy of the whole database as it is now to a file, while it is in use.
   * @throws {@link StoreError} `store_not_supported` where another tool does that
   */
  backup(target: string, onProgress?: BackupProgress): Promise<void>;
  /**
   * Why the database may be an older state of itself, so that what was given out since then would be
   * given out again: a copy that was restored, or last changes that got lost.
   */
  findSetback(connection: DatabaseConnection): Promise<string | undefined>;
  /** Records, in the same transaction as what was done about it, that there is none from here on. */
  endSetback(connection: DatabaseConnection): Promise<void>;
  /** What is not working, or undefined. Feeds readiness. */
  problem(): StoreError | undefined;
  close(): Promise<void>;
}

/** An open cursor would hold a connection for as long as its reader likes. */
export function streamingRefused(): StoreError {
  return new StoreError(
    'store_not_supported',
    'results are not streamed: read pages with a limit, each starting after the last row',
  );
}
