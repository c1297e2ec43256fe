import { DatabaseError } from 'pg';
import { StoreError, type StoreErrorCode, type StoreErrorDetails } from '../errors.ts';

const constraints: Readonly<Record<string, NonNullable<StoreErrorDetails['constraint']>>> = {
  '23505': 'unique',
  '23503': 'foreign_key',
  '23502': 'not_null',
  '23514': 'check',
};

/** Read-only transaction: after a failover, this server was the primary and is none any more. */
const readOnlyState = '25006';

/** By SQLSTATE (PostgreSQL manual, appendix A); two characters stand for a whole class. */
const codes: Readonly<Record<string, StoreErrorCode>> = {
  '08': 'store_unreachable',
  '22': 'store_bad_value',
  '23': 'store_constraint',
  [readOnlyState]: 'store_unreachable',
  '28': 'store_misconfigured',
  '3D': 'store_misconfigured',
  '3F': 'store_misconfigured',
  '40': 'store_conflict',
  '42501': 'store_misconfigured',
  '53100': 'store_disk_full',
  '53300': 'store_unreachable',
  '53': 'store_busy',
  '55P03': 'store_locked',
  '57014': 'store_timeout',
  '57': 'store_unreachable',
  '58': 'store_io',
  XX001: 'store_corrupt',
  XX002: 'store_corrupt',
};

/** Turns what `pg` throws into a {@link StoreError}; anything else comes back unchanged. */
export function fromPostgresError(error: unknown, label: string): unknown {
  if (error instanceof StoreError) return error;
  if (error instanceof DatabaseError) return fromDatabaseError(error, label);
  if (isLoginError(error)) {
    return new StoreError(
      'store_misconfigured',
      `${label} asks for a password, and what store.url has is none that it takes: ${error.message}`,
      { cause: error },
    );
  }
  if (isConnectionError(error)) {
    return new StoreError('store_unreachable', `${label} cannot be reached: ${error.message}`, {
      cause: error,
    });
  }
  return error;
}

function fromDatabaseError(error: DatabaseError, label: string): StoreError {
  const state = error.code ?? '';
  const code = codes[state] ?? codes[state.slice(0, 2)] ?? 'store_query_failed';
  const details: StoreErrorDetails = {
    driverCode: state,
    ...(code === 'store_constraint' ? { constraint: constraints[state] ?? 'other' } : {}),
    ...(error.constraint === undefined ? {} : { constraintName: error.constraint }),
  };
  // The server's `detail` field repeats values of the row; the message names only the schema.
  const message = code === 'store_bad_value' ? badValue(state) : error.message;
  return new StoreError(code, `${label}: ${message}`, { cause: error, details });
}

/** These messages quote the value, so they are not repeated. */
function badValue(state: string): string {
  return `the database refused a value (SQLSTATE ${state})`;
}

/** The server answers, but takes no changes: the address leads to the old primary of a failover. */
export function readOnlyError(label: string): StoreError {
  return new StoreError('store_unreachable', `${label} is read-only, it is no primary any more`, {
    details: { driverCode: readOnlyState },
  });
}

/** Whether the server, rather than the transaction, is read-only. Meant for transactions that may write. */
export function isReadOnlyError(error: unknown): boolean {
  return error instanceof StoreError && error.details.driverCode === readOnlyState;
}

/**
 * Whether the server failed rather than the transaction. As the answer to a commit that leaves open what
 * became of it: a server whose WAL has no room (53100, which ends it) may find the commit there when it
 * recovers.
 */
export function isServerFailure(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && /^(53|58|XX)/.test(error.code ?? '');
}

/** Thrown by the driver itself in the middle of SASL, for instance when it was given no password. */
function isLoginError(error: unknown): error is Error {
  return error instanceof Error && error.message.startsWith('SASL');
}

/** Whether the connection is broken or was never made, rather than a statement refused. */
export function isConnectionError(error: unknown): error is Error {
  if (error instanceof StoreError) return error.code === 'store_unreachable';
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseError) {
    const code = codes[error.code ?? ''] ?? codes[(error.code ?? '').slice(0, 2)];
    return code === 'store_unreachable';
  }
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^(E[A-Z]+|CERT_|SELF_SIGNED|DEPTH_ZERO)/.test(code)) return true;
  return /connection|timeout|timed out|not queryable|SSL|ended/i.test(error.message);
}
