import { types as defaultTypes, type ClientConfig, type CustomTypesConfig } from 'pg';

export interface PostgresTimeouts {
  /** To open a connection. @defaultValue 5000 */
  readonly connectTimeoutMs?: number;
  /** For one statement, enforced by the server. @defaultValue 10000 */
  readonly statementTimeoutMs?: number;
  /** For a lock that another transaction holds. @defaultValue 5000 */
  readonly lockTimeoutMs?: number;
}

const { builtins } = defaultTypes;

/** Numbers as numbers, as SQLite gives them: nothing we store or count is above 2^53. */
const types: CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === builtins.INT8 || oid === builtins.NUMERIC) return toNumber;
    return defaultTypes.getTypeParser(oid, format);
  },
};

function toNumber(text: string): number {
  return Number(text);
}

type Some<T> = readonly [T, ...T[]];

/** How connections are made, for each address. */
export function clientConfigs(
  [first, ...others]: Some<string>,
  timeouts: Required<PostgresTimeouts>,
): Some<ClientConfig> {
  const common = commonConfig(timeouts);
  const configOf = (connectionString: string): ClientConfig => ({ ...common, connectionString });
  return [configOf(first), ...others.map(configOf)];
}

function commonConfig(timeouts: Required<PostgresTimeouts>): ClientConfig {
  return {
    types,
    fallback_application_name: 'holdfast',
    connectionTimeoutMillis: timeouts.connectTimeoutMs,
    // The server enforces the statement timeout; this one notices a server that has gone silent.
    query_timeout: timeouts.statementTimeoutMs * 1.5,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/**
 * Session settings. Sent as a statement and not as startup options, which connection poolers refuse.
 * The schema's name was checked when the URL was read.
 */
export function sessionSettings(schema: string, timeouts: Required<PostgresTimeouts>): string {
  return (
    `set search_path = "${schema}"; ` +
    `set statement_timeout = ${timeouts.statementTimeoutMs}; ` +
    `set lock_timeout = ${timeouts.lockTimeoutMs}; ` +
    `set idle_in_transaction_session_timeout = ${timeouts.statementTimeoutMs * 2}; ` +
    `set default_transaction_isolation = 'read committed'; ` +
    // Whatever the server's default is: an acknowledged commit is on disk.
    `set synchronous_commit = on`
  );
}
