/**
 * Everything that can go wrong in the store, in one table.
 *
 * @module
 */

/** What is known about a code without looking at the error. */
export interface StoreErrorRow {
  /** Whether the same call can succeed later without anybody changing the program or its settings. */
  readonly retryable: boolean;
  /** What an HTTP API answers when this error ends a request. */
  readonly httpStatus: number;
  /** What to do about it, for the person who reads the log. */
  readonly remedy: string;
}

/** What went wrong: a key of {@link storeErrorCodes}. */
export type StoreErrorCode =
  | 'store_busy'
  | 'store_locked'
  | 'store_in_use'
  | 'store_timeout'
  | 'store_disk_full'
  | 'store_unreachable'
  | 'store_commit_unknown'
  | 'store_conflict'
  | 'store_constraint'
  | 'store_bad_value'
  | 'store_corrupt'
  | 'store_io'
  | 'store_misconfigured'
  | 'store_newer'
  | 'store_migration_failed'
  | 'store_move_unfinished'
  | 'store_target_not_empty'
  | 'store_verification_failed'
  | 'store_not_supported'
  | 'store_transaction_over'
  | 'store_closed'
  | 'store_query_failed';

/** Codes of {@link StoreError}. `docs/store.md` lists them; a test proves that both agree. */
export const storeErrorCodes: Readonly<Record<StoreErrorCode, StoreErrorRow>> = {
  /** The queue of waiting transactions is full, or one waited longer than its deadline. */
  store_busy: {
    retryable: true,
    httpStatus: 503,
    remedy: 'try again later; if it persists, the database is slower than the load',
  },
  /** Another process holds a lock on the database longer than the deadline. */
  store_locked: {
    retryable: true,
    httpStatus: 503,
    remedy: 'end the other program that holds a transaction open, then try again',
  },
  /** Another server process owns this SQLite file. */
  store_in_use: {
    retryable: false,
    httpStatus: 503,
    remedy: 'stop the other server that uses it; several servers at once need PostgreSQL',
  },
  /** A statement or a transaction took longer than its deadline and was rolled back. */
  store_timeout: {
    retryable: true,
    httpStatus: 503,
    remedy: 'try again; if it persists, look for slow statements or a blocked transaction',
  },
  /** The disk or the database's size limit is full. Nothing of the transaction was kept. */
  store_disk_full: {
    retryable: true,
    httpStatus: 507,
    remedy: 'free disk space; writes work again as soon as there is some',
  },
  /** The database cannot be reached or is starting or stopping. Nothing of the transaction was kept. */
  store_unreachable: {
    retryable: true,
    httpStatus: 503,
    remedy: 'check that the database runs and that store.url points at it',
  },
  /** The connection broke while committing: the transaction may or may not have been kept. */
  store_commit_unknown: {
    retryable: true,
    httpStatus: 503,
    remedy: 'repeat the operation with the same idempotency key, or read the state first',
  },
  /** Two transactions were in each other's way, and this one was rolled back several times in a row. */
  store_conflict: { retryable: true, httpStatus: 503, remedy: 'try again' },
  /** A constraint of the schema refused the data. `details` names it. */
  store_constraint: { retryable: false, httpStatus: 409, remedy: 'change the data' },
  /** A value that cannot be stored, for example text that contains NUL. */
  store_bad_value: { retryable: false, httpStatus: 400, remedy: 'change the data' },
  /** The database file is damaged. */
  store_corrupt: {
    retryable: false,
    httpStatus: 500,
    remedy: "stop the server, run 'holdfast store check', and restore a backup",
  },
  /** Reading or writing the database file failed in the operating system. */
  store_io: {
    retryable: true,
    httpStatus: 500,
    remedy: 'look at the cause and at the system log; the disk may be failing',
  },
  /** The URL, the credentials or the permissions cannot work. */
  store_misconfigured: {
    retryable: false,
    httpStatus: 500,
    remedy: 'correct store.url or the permissions it needs',
  },
  /** The database was made by a newer version of the program. */
  store_newer: {
    retryable: false,
    httpStatus: 500,
    remedy: 'run the newer version, or restore a backup made before the upgrade',
  },
  /** A migration failed. Everything before it is kept, nothing of it is. */
  store_migration_failed: {
    retryable: false,
    httpStatus: 500,
    remedy: 'look at the cause; the next start tries this migration again from its beginning',
  },
  /** A move into this database began and did not finish. */
  store_move_unfinished: {
    retryable: false,
    httpStatus: 500,
    remedy: "run 'holdfast store move' again; it starts over by itself",
  },
  /** The target of a move or a backup already holds something. */
  store_target_not_empty: {
    retryable: false,
    httpStatus: 409,
    remedy: 'choose an empty target',
  },
  /** What was copied differs from what is there. */
  store_verification_failed: {
    retryable: false,
    httpStatus: 500,
    remedy: 'keep using the source, and report this with the message',
  },
  /** This database cannot do that. */
  store_not_supported: {
    retryable: false,
    httpStatus: 501,
    remedy: 'use the tool that the message names',
  },
  /** A statement came after its transaction had ended or failed. */
  store_transaction_over: {
    retryable: false,
    httpStatus: 500,
    remedy: 'await every statement inside the transaction, and do not catch their errors there',
  },
  /** The store was closed. */
  store_closed: {
    retryable: false,
    httpStatus: 503,
    remedy: 'nothing: the server is stopping',
  },
  /** The database refused a statement: a mistake in the program. */
  store_query_failed: {
    retryable: false,
    httpStatus: 500,
    remedy: 'report this with the message',
  },
};

/** What an error knows beyond its code. */
export interface StoreErrorOptions {
  readonly cause?: unknown;
  readonly details?: StoreErrorDetails;
}

/** What is known about the failure, without any stored data. */
export interface StoreErrorDetails {
  readonly constraint?: 'unique' | 'foreign_key' | 'not_null' | 'check' | 'other';
  /** Name of the constraint, or of the columns (SQLite). */
  readonly constraintName?: string;
  /** Code of the database driver, for example `SQLITE_FULL` or `40P01`. */
  readonly driverCode?: string;
}

/**
 * The only error that the store's functions reject with, apart from what a caller's own callback
 * throws. Messages never contain stored values or credentials.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** Whether the same call can succeed later. */
  readonly retryable: boolean;
  readonly httpStatus: number;
  readonly details: StoreErrorDetails;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    const row = storeErrorCodes[code];
    super(
      `${message} (${code}: ${row.remedy})`,
      'cause' in options ? { cause: options.cause } : undefined,
    );
    this.code = code;
    this.retryable = row.retryable;
    this.httpStatus = row.httpStatus;
    this.details = options.details ?? {};
  }
}
