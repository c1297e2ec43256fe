import Database from 'better-sqlite3';
import { StoreError, type StoreErrorDetails } from '../errors.ts';

const constraints: Readonly<Record<string, NonNullable<StoreErrorDetails['constraint']>>> = {
  SQLITE_CONSTRAINT_UNIQUE: 'unique',
  SQLITE_CONSTRAINT_PRIMARYKEY: 'unique',
  SQLITE_CONSTRAINT_ROWID: 'unique',
  SQLITE_CONSTRAINT_FOREIGNKEY: 'foreign_key',
  SQLITE_CONSTRAINT_NOTNULL: 'not_null',
  SQLITE_CONSTRAINT_CHECK: 'check',
};

/** Turns what better-sqlite3 throws into a {@link StoreError}; anything else comes back unchanged. */
export function fromSqliteError(error: unknown, file: string): unknown {
  if (error instanceof StoreError) return error;
  if (!(error instanceof Database.SqliteError)) return error;
  const { code } = error;
  const options = { cause: error, details: { driverCode: code } };
  if (code.startsWith('SQLITE_CONSTRAINT')) {
    const constraint = constraints[code] ?? 'other';
    // "UNIQUE constraint failed: table.column": names of the schema, no values.
    const constraintName = /failed: (.+)$/.exec(error.message)?.[1];
    return new StoreError('store_constraint', error.message, {
      cause: error,
      details: {
        constraint,
        driverCode: code,
        ...(constraintName === undefined ? {} : { constraintName }),
      },
    });
  }
  switch (code.split('_').slice(0, 2).join('_')) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new StoreError('store_locked', `${file} is locked by another process`, options);
    case 'SQLITE_FULL':
      return new StoreError('store_disk_full', `no room left for ${file}`, options);
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return new StoreError('store_corrupt', `${file} is damaged: ${error.message}`, options);
    case 'SQLITE_IOERR':
      return new StoreError('store_io', `reading or writing ${file} failed: ${code}`, options);
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_READONLY':
    case 'SQLITE_PERM':
      return new StoreError(
        'store_misconfigured',
        `${file} cannot be opened for writing: ${error.message}`,
        options,
      );
    case 'SQLITE_TOOBIG':
    case 'SQLITE_MISMATCH':
      return new StoreError('store_bad_value', error.message, options);
    default:
      return new StoreError('store_query_failed', error.message, options);
  }
}

/** Whether SQLite is waiting for another connection's lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
