import { DatabaseError, type PoolClient } from 'pg';
import {
  CompiledQuery,
  DummyDriver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type DatabaseConnection,
  sql,
  type Dialect,
  type RawBuilder,
  type SqlBool,
} from 'kysely';
import { delay, withDeadline, type Clock } from '../clock.ts';
import type { Engine, EngineTransactionOptions } from '../engine.ts';
import { StoreError, type StoreErrorCode } from '../errors.ts';
import type { StoreMetrics } from '../metrics.ts';
import type { StoreLocation } from '../store-url.ts';
import { leaderKey } from '../lock-key.ts';
import { Turnstile } from '../turnstile.ts';
import { ControlConnection } from './control-connection.ts';
import { endSetback, findSetback } from './home.ts';
import { clientConfigs, sessionSettings, type PostgresTimeouts } from './postgres-client.ts';
import {
  fromPostgresError,
  isConnectionError,
  isReadOnlyError,
  isServerFailure,
} from './postgres-errors.ts';
import { PostgresPool } from './postgres-pool.ts';
import { PostgresSession, type TransactionMode } from './postgres-session.ts';

/** Settings of a PostgreSQL store. */
export interface PostgresOptions extends PostgresTimeouts {
  /** Connections for transactions and reads; one more listens. @defaultValue 5 */
  readonly poolSize?: number;
  /**
   * A leader of which PostgreSQL has heard nothing for so long, because it hangs, is stopped or has
   * lost its network, is replaced; it looks every second. 0: never. PostgreSQL 14 or newer.
   * @defaultValue 15000
   */
  readonly leaderTimeoutMs?: number;
}

export interface PostgresEngineOptions extends PostgresOptions {
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
  readonly random: () => number;
  readonly transactionTimeoutMs: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

type PostgresLocation = Extract<StoreLocation, { dialect: 'postgres' }>;

/** Transactions that the database rolled back to resolve a conflict are run this often at most. */
const maxAttempts = 4;

/** Errors of the server's own disk, by which it refuses changes and goes on to answer reads. */
const storageCodes: ReadonlySet<StoreErrorCode> = new Set([
  'store_disk_full',
  'store_io',
  'store_corrupt',
]);
/**
 * A full disk still takes changes that need no room: one that works says little when others were
 * refused just now.
 */
const refusalHoldsMs = 5000;
/** How long one is a problem when nothing is written any more. */
const refusalShownMs = 60_000;

/** SQLSTATE of the PostgreSQL manual, appendix A. */
const insufficientPrivilege = '42501';
const uniqueViolation = '23505';

const beginStatements: Readonly<Record<TransactionMode, string>> = {
  write: 'begin',
  read: 'begin isolation level repeatable read read only',
};

const kysely: Dialect = {
  createDriver: () => new DummyDriver(),
  createAdapter: () => new PostgresAdapter(),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createIntrospector: (db) => new PostgresIntrospector(db),
};

/**
 * Connects, and makes the schema when there is none.
 * @throws {@link StoreError} `store_unreachable` or `store_misconfigured`
 */
export async function openPostgresEngine(
  location: PostgresLocation,
  options: PostgresEngineOptions,
): Promise<PostgresEngine> {
  const engine = new PostgresEngine(location, options);
  try {
    await engine.open();
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** PostgreSQL: a small pool for transactions, and one connection that listens. */
class PostgresEngine implements Engine {
  readonly name = 'postgres';
  readonly label: string;
  readonly kysely: Dialect = kysely;
  readonly #location: PostgresLocation;
  readonly #options: PostgresEngineOptions;
  readonly #timeouts: Required<PostgresTimeouts>;
  readonly #pool: PostgresPool;
  readonly #turnstile: Turnstile;
  readonly #wakeChannel: string;
  /** There while this process is a candidate. */
  #control: ControlConnection | undefined;
  #isNotifying = false;
  #notifyAgain = false;
  /** Why the server cannot be used at all. */
  #problem: StoreError | undefined;
  /** The last change that its disk did not take, though it answers. */
  #refusal: { readonly error: StoreError; readonly at: number } | undefined;
  #isClosed = false;

  constructor(location: PostgresLocation, options: PostgresEngineOptions) {
    this.label = location.label;
    this.#location = location;
    this.#options = options;
    const poolSize = options.poolSize ?? 5;
    this.#timeouts = {
      connectTimeoutMs: options.connectTimeoutMs ?? 5000,
      statementTimeoutMs: options.statementTimeoutMs ?? 10_000,
      lockTimeoutMs: options.lockTimeoutMs ?? 5000,
    };
    this.#pool = new PostgresPool({
      configs: clientConfigs(location.connectionStrings, this.#timeouts),
      poolSize,
      settings: sessionSettings(location.schema, this.#timeouts),
      label: this.label,
      onChange: () => this.#countConnections(),
      onLost: () => this.#countLost(),
    });
    this.#turnstile = new Turnstile({ ...options, slots: poolSize });
    this.#wakeChannel = `${location.schema}_wake`;
  }

  async open(): Promise<void> {
    await this.#withClient((client) => this.#makeSchema(client));
    this.#countConnections();
  }

  /** Making it needs a right that working in one which is there does not, even with `if not exists`. */
  async #makeSchema(client: PoolClient): Promise<void> {
    const { schema } = this.#location;
    const { rows } = await client.query<{ role: string; has_schema: boolean }>(
      `select quote_ident(current_user) as role,
        exists (select from pg_namespace where nspname = $1) as has_schema`,
      [schema],
    );
    if (rows[0]?.has_schema === true) return;
    try {
      await client.query(`create schema if not exists "${schema}"`);
    } catch (error) {
      const { code } = error as { code?: unknown };
      // Two servers that start at the same moment can both try to make it.
      if (code === uniqueViolation) return;
      if (code !== insufficientPrivilege) throw error;
      const statement = `create schema "${schema}" authorization ${rows[0]?.role}`;
      throw new StoreError(
        'store_misconfigured',
        `${this.label} has no schema "${schema}", and this role may not make it; let the owner of the database run: ${statement}`,
        { cause: error },
      );
    }
  }

  async write<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    options: EngineTransactionOptions = {},
  ): Promise<T> {
    const { clock, metrics, maxWaitMs, random, transactionTimeoutMs } = this.#options;
    const timeoutMs = options.timeoutMs ?? transactionTimeoutMs;
    const deadline = clock.monotonic() + maxWaitMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const value = await this.#transact('write', work, { ...options, timeoutMs });
        this.#forgetRefusal(refusalHoldsMs);
        return value;
      } catch (error) {
        metrics.rollbacks += 1;
        if (error instanceof StoreError && storageCodes.has(error.code)) {
          this.#refusal = { error, at: clock.monotonic() };
        }
        const isConflict = error instanceof StoreError && error.code === 'store_conflict';
        // A server that is read-only has kept nothing of it; the next attempt is made on another one.
        const isMoved = isReadOnlyError(error) && clock.monotonic() < deadline;
        if (!(isConflict || isMoved) || attempt >= maxAttempts) throw error;
        if (isConflict) metrics.conflictRetries += 1;
        await delay(clock, random() * 20 * attempt);
      }
    }
  }

  read<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    options: EngineTransactionOptions = {},
  ): Promise<T> {
    const { timeoutMs = this.#options.transactionTimeoutMs } = options;
    return this.#transact('read', work, { timeoutMs });
  }

  /** Needs no transaction around it: one way to the database and back, where {@link read} takes three. */
  readOnce<T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> {
    return this.#turnstile.run(() =>
      this.#withClient((client) =>
        this.#bounded(
          work(new PostgresSession(client, { label: this.label, mode: 'read' })),
          this.#options.transactionTimeoutMs,
        ),
      ),
    );
  }

  async lock(connection: DatabaseConnection, keys: readonly bigint[]): Promise<void> {
    await connection.executeQuery(
      CompiledQuery.raw('select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as key', [
        inOrder(keys),
      ]),
    );
  }

  /** Depends on no row, so PostgreSQL evaluates it once, as a filter before everything else. */
  whenLocked(keys: readonly bigint[]): RawBuilder<SqlBool> {
    return sql<SqlBool>`(select count(pg_advisory_xact_lock(key))
      from unnest(${inOrder(keys)}::bigint[]) as key) >= 0`;
  }

  async tryLock(
    connection: DatabaseConnection,
    keys: readonly bigint[],
  ): Promise<readonly bigint[]> {
    const { rows } = await connection.executeQuery<{ key: string }>(
      CompiledQuery.raw(
        'select key::text from unnest($1::bigint[]) as key where not pg_try_advisory_xact_lock(key)',
        [keys.map(String)],
      ),
    );
    return rows.map(({ key }) => BigInt(key));
  }

  runForLeader(onWake: () => void): () => Promise<void> {
    const control = new ControlConnection({
      clock: this.#options.clock,
      random: this.#options.random,
      connect: () => this.#pool.connect(),
      channel: this.#wakeChannel,
      leaderKey: leaderKey(this.#location.schema),
      onWake,
      onConnected: () => {
        this.#problem = undefined;
        this.#countConnections();
      },
      onLost: () => this.#countLost(),
      verify: (client) => this.#pool.verify(client),
      leaderTimeoutMs: this.#options.leaderTimeoutMs ?? 15_000,
    });
    this.#control = control;
    control.start();
    return async () => {
      this.#control = undefined;
      await control.close();
    };
  }

  isLeader(): boolean {
    return this.#control?.isLeader === true;
  }

  /** At most one notification is under way; those that come meanwhile share the next one. */
  wakeLeader(): void {
    if (this.#control?.isLeader === true) {
      this.#control.wake();
      return;
    }
    if (this.#isNotifying) {
      this.#notifyAgain = true;
      return;
    }
    this.#isNotifying = true;
    this.#withClient((client) => client.query(`notify "${this.#wakeChannel}"`))
      // A lost notification only delays: the leader looks by itself every second.
      .catch(() => {})
      .finally(() => {
        this.#isNotifying = false;
        if (!this.#notifyAgain) return;
        this.#notifyAgain = false;
        this.wakeLeader();
      });
  }

  backup(): Promise<void> {
    return Promise.reject(
      new StoreError(
        'store_not_supported',
        `${this.label} is backed up with PostgreSQL's own tools, for example: ` +
          `pg_dump --format=custom --schema=${this.#location.schema} --file=holdfast.dump <store.url>`,
      ),
    );
  }

  findSetback(connection: DatabaseConnection): Promise<string | undefined> {
    return findSetback(connection);
  }

  endSetback(connection: DatabaseConnection): Promise<void> {
    return endSetback(connection);
  }

  problem(): StoreError | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const lost = this.#control?.problem;
    if (lost !== undefined) return unusable(fromPostgresError(lost, this.label));
    this.#forgetRefusal(refusalShownMs);
    return this.#refusal?.error;
  }

  #forgetRefusal(afterMs: number): void {
    if (this.#refusal === undefined) return;
    const ageMs = this.#options.clock.monotonic() - this.#refusal.at;
    if (ageMs >= afterMs) this.#refusal = undefined;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#turnstile.close();
    await this.#control?.close();
    await this.#pool.end();
    this.#options.metrics.connections = 0;
  }

  #transact<T>(
    mode: TransactionMode,
    work: (connection: DatabaseConnection) => Promise<T>,
    options: EngineTransactionOptions & { readonly timeoutMs: number },
  ): Promise<T> {
    const { timeoutMs, lockTimeoutMs } = options;
    const begin = beginStatements[mode];
    return this.#turnstile.run(async () => {
      const client = await this.#begin(
        lockTimeoutMs === undefined ? begin : `${begin}; set local lock_timeout = ${lockTimeoutMs}`,
      );
      const session = new PostgresSession(client, { label: this.label, mode });
      let isBroken = false;
      try {
        if (timeoutMs === 0) {
          await client.query('set local statement_timeout = 0; set local lock_timeout = 0');
        }
        const value = await this.#bounded(work(session), timeoutMs);
        if (session.failure !== undefined) throw session.failure;
        session.end();
        await this.#commit(client);
        return value;
      } catch (error) {
        session.end();
        if (isReadOnlyError(error)) this.#pool.leaveServerOf(client);
        const timedOut = error instanceof StoreError && error.code === 'store_timeout';
        const isUnknown = error instanceof StoreError && error.code === 'store_commit_unknown';
        // After a deadline a statement may still be running: the connection is given up with it.
        isBroken = session.isBroken || timedOut || isUnknown || !(await rollback(client));
        throw fromSessionError(error, this.label);
      } finally {
        this.#pool.release(client, isBroken);
      }
    });
  }

  /** Waits out a restart of the server: nothing has been done yet, so trying again is safe. */
  async #begin(statement: string): Promise<PoolClient> {
    const { clock, maxWaitMs, random } = this.#options;
    const deadline = clock.monotonic() + maxWaitMs;
    for (let attempt = 0; ; attempt += 1) {
      let client: PoolClient | undefined;
      try {
        client = await this.#pool.acquire();
        await client.query(statement);
        if (this.#problem !== undefined) this.#control?.hasten();
        this.#problem = undefined;
        return client;
      } catch (error) {
        if (client !== undefined) this.#pool.release(client, true);
        const mapped = fromPostgresError(error, this.label);
        this.#problem = unusable(mapped);
        if (this.#isClosed) throw new StoreError('store_closed', 'the store is closed');
        if (!isConnectionError(error) || clock.monotonic() >= deadline) throw mapped;
      }
      await delay(clock, 20 + random() * Math.min(1000, 50 * 2 ** attempt));
    }
  }

  async #commit(client: PoolClient): Promise<void> {
    const { clock, metrics } = this.#options;
    const startedAt = clock.monotonic();
    this.#pool.takeNotice(client);
    try {
      await client.query('commit');
    } catch (error) {
      const hasFailed = isServerFailure(error);
      if (!hasFailed && !isConnectionError(error)) throw fromPostgresError(error, this.label);
      const what = hasFailed ? `the server failed (${error.message})` : 'the connection broke';
      throw new StoreError('store_commit_unknown', `${this.label}: ${what} during the commit`, {
        cause: error,
      });
    }
    // It says so when it gave up waiting for a standby: a failover could still undo the commit.
    const notice = this.#pool.takeNotice(client);
    if (notice !== undefined) {
      throw new StoreError('store_commit_unknown', `${this.label}: ${notice}`);
    }
    metrics.commits += 1;
    metrics.recordCommit(clock.monotonic() - startedAt);
  }

  #bounded<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    if (timeoutMs === 0) return work;
    return withDeadline(work, timeoutMs, {
      clock: this.#options.clock,
      onDeadline: () =>
        new StoreError('store_timeout', `a transaction took longer than ${timeoutMs} ms`),
    });
  }

  async #withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    let isBroken = false;
    try {
      client = await this.#pool.acquire();
      return await work(client);
    } catch (error) {
      // After a deadline a statement may still be running: the connection is given up with it.
      isBroken =
        isConnectionError(error) ||
        (error instanceof StoreError && /_(timeout|unreachable)$/.test(error.code));
      throw fromPostgresError(error, this.label);
    } finally {
      if (client !== undefined) this.#pool.release(client, isBroken);
    }
  }

  #countLost(): void {
    this.#options.metrics.connectionsLost += 1;
    this.#countConnections();
  }

  #countConnections(): void {
    this.#options.metrics.connections =
      this.#pool.size + (this.#control?.isConnected === true ? 1 : 0);
  }
}

function unusable(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('store_unreachable', String(error), { cause: error });
}

/** One order for all, so that two that take several never wait for each other crosswise. */
function inOrder(keys: readonly bigint[]): readonly string[] {
  return keys.toSorted((a, b) => (a < b ? -1 : Number(a > b))).map(String);
}

/** Returns whether the connection can be used again. */
async function rollback(client: PoolClient): Promise<boolean> {
  try {
    await client.query('rollback');
    return true;
  } catch {
    return false;
  }
}

/** Statement errors are mapped where they happen; what the caller's own code throws stays as it is. */
function fromSessionError(error: unknown, label: string): unknown {
  return error instanceof DatabaseError ? fromPostgresError(error, label) : error;
}
