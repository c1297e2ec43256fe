import type { DatabaseConnection } from 'kysely';
import { systemClock, type Clock } from './clock.ts';
import type { BackupProgress, DialectName, Engine } from './engine.ts';
import { StoreError } from './errors.ts';
import { createIdSource, idTime, type IdSource } from './id-source.ts';
import { findProblems } from './integrity.ts';
import { lockKey } from './lock-key.ts';
import { StoreMetrics } from './metrics.ts';
import { migrate, type StoreModule } from './migrations.ts';
import { Outbox } from './outbox.ts';
import { openPostgresEngine, type PostgresOptions } from './postgres/postgres-engine.ts';
import { Retention } from './retention.ts';
import { recoverFromSetback } from './setback.ts';
import { openSession, type StoreTransaction } from './session.ts';
import { openSqliteEngine, type SqliteOptions } from './sqlite/sqlite-engine.ts';
import { storeModule, type StoreTables } from './store-module.ts';
import { parseStoreUrl } from './store-url.ts';

/** Where a store is, what it keeps, and its limits. Only `url` is needed. */
export interface StoreOptions {
  /** `sqlite:<path>`, a file path, or `postgres://…`; see {@link parseStoreUrl}. */
  readonly url: string;
  /** Features that keep tables here. */
  readonly modules?: readonly StoreModule[];
  readonly sqlite?: SqliteOptions;
  readonly postgres?: PostgresOptions;
  /** How long one transaction or read may take. @defaultValue 10000 */
  readonly transactionTimeoutMs?: number;
  /** Transactions and reads that may wait for their turn. @defaultValue 10000 */
  readonly maxWaiting?: number;
  /** How long one may wait. @defaultValue 5000 */
  readonly maxWaitMs?: number;
  /** Longest event in the outbox, as JSON in bytes. @defaultValue 65536 */
  readonly maxEventBytes?: number;
  readonly clock?: Clock;
  /** In [0, 1), for backoff. @defaultValue `Math.random` */
  readonly random?: () => number;
  /** @defaultValue a UUIDv7 source on `clock` */
  readonly ids?: IdSource;
  /** Told of trouble in background work, which goes on trying. */
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

/**
 * Opens a database, makes it when there is none, and brings its tables up to date.
 *
 * @throws {@link StoreError} saying what is wrong with the database and what to do.
 *
 * @example
 * ```ts
 * const store = await openStore({ url: 'sqlite:./data/holdfast.db', modules: [inboxModule] });
 * store.outbox.start({ publish: (channel, data, options) => hub.publish(channel, data, options) });
 * await store.transaction(async (trx) => {
 *   await trx.insertInto('notes').values({ id: store.ids.next(), text: 'hello' }).execute();
 *   store.outbox.append(trx, { channel: 'notes', data: { created: 'hello' } });
 * });
 * ```
 */
export async function openStore<Tables = unknown>(options: StoreOptions): Promise<Store<Tables>> {
  const metrics = new StoreMetrics();
  const engine = await openEngine(options, { metrics, role: 'server' });
  const clock = options.clock ?? systemClock;
  try {
    const modules = [storeModule, ...(options.modules ?? [])];
    await migrate(engine, modules, clock);
    const ids = options.ids ?? (await continueIds(engine, modules, clock));
    const store = new Store<Tables>(engine, { ...options, clock, metrics, modules, ids });
    await store.assertReady();
    const setback = await recoverFromSetback(engine, modules);
    if (setback !== undefined) {
      options.onProblem?.({
        message: `${engine.label} may lack what was written to it last: ${setback}. Channels begin anew, workers lose what they have claimed, and what was sent since then can be sent again`,
        cause: undefined,
      });
    }
    return store;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** More than this ahead of the clock, a stored id comes from a clock that was wrong, and is not followed. */
const maxIdLeadMs = 86_400_000;

/** Ids above all that are stored, though the clock may have been set back since. */
async function continueIds(
  engine: Engine,
  modules: readonly StoreModule[],
  clock: Clock,
): Promise<IdSource> {
  const newest = await engine.read(async (connection) => {
    const db = openSession<unknown>(engine, connection);
    const found: string[] = [];
    for (const module of modules) {
      const id = await module.newestId?.(db);
      if (id !== undefined && idTime(id) - clock.now() < maxIdLeadMs) found.push(id);
    }
    return found.reduce<string | undefined>(
      (greatest, id) => (greatest === undefined || id > greatest ? id : greatest),
      undefined,
    );
  });
  return createIdSource(newest === undefined ? { clock } : { clock, after: newest });
}

/** Connects to the database that `options.url` names. */
export function openEngine(
  options: StoreOptions,
  use: { readonly metrics: StoreMetrics; readonly role: 'server' | 'tool' },
): Promise<Engine> {
  const location = parseStoreUrl(options.url);
  const shared = {
    ...use,
    clock: options.clock ?? systemClock,
    transactionTimeoutMs: options.transactionTimeoutMs ?? 10_000,
    maxWaiting: options.maxWaiting ?? 10_000,
    maxWaitMs: options.maxWaitMs ?? 5000,
  };
  if (location.dialect === 'sqlite') {
    return openSqliteEngine(location.file, { ...options.sqlite, ...shared });
  }
  const random = options.random ?? Math.random;
  return openPostgresEngine(location, { ...options.postgres, ...shared, random });
}

/** Name in `store_state` of a move into this database that has not finished. */
export const moveStateName = 'move';

/** One database, with everything that features need of it. Made by {@link openStore}. */
export class Store<Tables = unknown> {
  readonly dialect: DialectName;
  /** Names the database in messages; contains no credentials. */
  readonly label: string;
  readonly metrics: StoreMetrics;
  readonly outbox: Outbox;
  readonly retention: Retention;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly #engine: Engine;
  readonly #modules: readonly StoreModule[];

  constructor(
    engine: Engine,
    options: StoreOptions & {
      readonly clock: Clock;
      readonly metrics: StoreMetrics;
      readonly modules: readonly StoreModule[];
      readonly ids: IdSource;
    },
  ) {
    this.#engine = engine;
    this.#modules = options.modules;
    this.dialect = engine.name;
    this.label = engine.label;
    this.metrics = options.metrics;
    this.clock = options.clock;
    this.ids = options.ids;
    this.outbox = new Outbox(engine, {
      clock: this.clock,
      random: options.random ?? Math.random,
      metrics: this.metrics,
      ids: this.ids,
      maxEventBytes: options.maxEventBytes ?? 65_536,
    });
    this.retention = new Retention(this as unknown as Store, {
      clock: this.clock,
      onProblem: options.onProblem ?? (() => {}),
    });
  }

  /** The same store, with the tables of a module known to the compiler. */
  withTables<More>(): Store<Tables & More> {
    return this as unknown as Store<Tables & More>;
  }

  /**
   * Runs `work` in a transaction: all of its statements and outbox events are kept, or none. When
   * the promise resolves they are durable (see `docs/store.md` for what that survives).
   *
   * `work` sees committed data of others only (read committed; on SQLite transactions run one after
   * another). It may be called again when the database rolled it back to resolve a conflict, so it
   * must change nothing but the database. After a statement failed the transaction is over, also
   * when `work` swallows the error: write `on conflict` where a conflict is expected.
   *
   * With `lockTimeoutMs` it gives up with `store_locked` when it has to wait so long for a lock of
   * another transaction: for work that others wait for. On SQLite there are no such locks.
   *
   * @throws {@link StoreError}, or what `work` throws; either way nothing was kept, except that with
   * `store_commit_unknown` it may have been.
   */
  async transaction<T>(
    work: (transaction: StoreTransaction<Tables>) => Promise<T>,
    options: { readonly lockTimeoutMs?: number } = {},
  ): Promise<T> {
    let events = 0;
    const run = async (connection: DatabaseConnection): Promise<T> => {
      const transaction = openSession<Tables>(this.#engine, connection);
      this.outbox.begin(transaction);
      connections.set(transaction, connection);
      const result = await work(transaction);
      events = await this.outbox.flush(transaction, connection);
      return result;
    };
    const value = await this.#counted(() => this.#engine.write(run, options));
    if (events > 0) this.outbox.committed(events);
    return value;
  }

  /** Runs `work` on one unchanging state of the database, so that several selects agree. */
  read<T>(work: (transaction: StoreTransaction<Tables>) => Promise<T>): Promise<T> {
    this.metrics.reads += 1;
    return this.#counted(() =>
      this.#engine.read((connection) => work(openSession<Tables>(this.#engine, connection))),
    );
  }

  /**
   * Makes transactions that lock one of the same names, in any process, wait until this one ended.
   * Lock everything that is needed in one call: names of one call never wait crosswise.
   */
  async lock(transaction: StoreTransaction<Tables>, names: readonly string[]): Promise<void> {
    const connection = connectionOf(transaction);
    if (this.dialect === 'sqlite' || names.length === 0) return;
    await this.#engine.lock(connection, names.map(lockKey));
  }

  /**
   * Locks those of `names` that no other transaction has locked, without waiting.
   * @returns the others
   */
  async tryLock(
    transaction: StoreTransaction<Tables>,
    names: readonly string[],
  ): Promise<ReadonlySet<string>> {
    if (this.dialect === 'sqlite' || names.length === 0) return new Set();
    const held = await this.#engine.tryLock(connectionOf(transaction), names.map(lockKey));
    return new Set(names.filter((name) => held.includes(lockKey(name))));
  }

  /** Whether this process runs what only one may run: one of those whose outbox was started. */
  isLeader(): boolean {
    return this.#engine.isLeader();
  }

  /** What keeps the store from working right now, or undefined. Feeds readiness. */
  problem(): StoreError | undefined {
    return this.#engine.problem();
  }

  /** Asks the database for a sign of life. */
  async ping(): Promise<void> {
    await this.read((db) => db.selectNoFrom((value) => value.lit(1).as('one')).execute());
  }

  /**
   * Looks for damage: the database's own checks where it has them, then every module's rules.
   * Reads everything, and on SQLite blocks the process while it does: for the command line.
   * @returns one sentence for each problem
   */
  integrityCheck(): Promise<readonly string[]> {
    return findProblems(this.#engine, this.#modules);
  }

  /**
   * Writes a copy of the database as it is now to a new file, while everything goes on. The copy is
   * checked and on disk when this resolves; the file appears only then.
   * @throws {@link StoreError} `store_target_not_empty`, or `store_not_supported` on PostgreSQL,
   * naming the tool to use
   */
  backup(target: string, onProgress?: BackupProgress): Promise<void> {
    return this.#engine.backup(target, onProgress);
  }

  /** Finishes what is under way, refuses what comes later, closes every connection. */
  async close(): Promise<void> {
    await this.outbox.close();
    await this.retention.close();
    await this.#engine.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @throws {@link StoreError} `store_move_unfinished` */
  async assertReady(): Promise<void> {
    const states = this as unknown as Store<StoreTables>;
    const move = await states.read((db) =>
      db
        .selectFrom('store_state')
        .select('value')
        .where('name', '=', moveStateName)
        .executeTakeFirst(),
    );
    if (move === undefined) return;
    throw new StoreError(
      'store_move_unfinished',
      `a move into ${this.label} began at ${move.value} and did not finish`,
    );
  }

  async #counted<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof StoreError) this.metrics.countError(error.code);
      throw error;
    }
  }
}

/** The connection that a transaction runs on, for what Kysely has no words for. */
const connections = new WeakMap<object, DatabaseConnection>();

function connectionOf(transaction: object): DatabaseConnection {
  const connection = connections.get(transaction);
  if (connection !== undefined) return connection;
  throw new StoreError('store_transaction_over', 'a lock was asked for outside a transaction');
}
