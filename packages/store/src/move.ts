import { sql, type DatabaseConnection } from 'kysely';
import { systemClock, type Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import { StoreError } from './errors.ts';
import { StoreMetrics } from './metrics.ts';
import { leaderKey } from './lock-key.ts';
import { migrate, type StoreModule } from './migrations.ts';
import { openSession } from './session.ts';
import { homeStateName } from './postgres/home.ts';
import { moveStateName, openEngine } from './store.ts';
import { assertFile } from './sqlite/sqlite-engine.ts';
import { storeModule } from './store-module.ts';
import { parseStoreUrl } from './store-url.ts';

/** From where to where a store is copied. */
export interface MoveOptions {
  /** The SQLite store. No server may be using it. */
  readonly from: string;
  /** The PostgreSQL store, empty or left by a move that did not finish. */
  readonly to: string;
  /** Every module whose tables may be there. */
  readonly modules: readonly StoreModule[];
  readonly onProgress?: (progress: MoveProgress) => void;
  readonly clock?: Clock;
}

/** How far the copy of one table is. */
export interface MoveProgress {
  readonly table: string;
  readonly rows: number;
  readonly totalRows: number;
}

/** What was copied. */
export interface MoveReport {
  readonly tables: readonly { readonly name: string; readonly rows: number }[];
}

interface MovedTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const batchRows = 500;

/**
 * Copies everything from SQLite to PostgreSQL, in small transactions, and compares what arrived:
 * rows of each table, and the sums of all numbers and lengths of each column. The source stays as it
 * is. A move that was interrupted starts over when it is run again; until one has finished, no
 * server starts on the target.
 *
 * @throws {@link StoreError} `store_in_use` while a server uses the source or the target,
 * `store_misconfigured` when there is no source,
 * `store_target_not_empty` when there is something in the target that no move has put there.
 */
export async function moveStore(options: MoveOptions): Promise<MoveReport> {
  const from = parseStoreUrl(options.from);
  const to = parseStoreUrl(options.to);
  if (from.dialect !== 'sqlite' || to.dialect !== 'postgres') {
    throw new StoreError('store_not_supported', 'a move goes from SQLite to PostgreSQL');
  }
  assertFile(from.file);
  const clock = options.clock ?? systemClock;
  const modules = [storeModule, ...options.modules];
  const metrics = new StoreMetrics();
  const source = await openEngine(
    { url: options.from, clock, sqlite: { ownerWaitMs: 0 } },
    { metrics, role: 'server' },
  );
  let target: Engine | undefined;
  try {
    target = await openEngine({ url: options.to, clock }, { metrics, role: 'tool' });
    await migrate(source, modules, clock);
    await migrate(target, modules, clock);
    await refuseServed(target, to.schema);
    return await new Move(source, target, options).run(clock);
  } finally {
    await target?.close();
    await source.close();
  }
}

/** A server that was there before the mark of the move would write into what is copied and emptied. */
function refuseServed(target: Engine, schema: string): Promise<void> {
  return target.write(async (connection) => {
    const held = await target.tryLock(connection, [leaderKey(schema)]);
    if (held.length === 0) return;
    throw new StoreError('store_in_use', `another process is serving from ${target.label}`);
  });
}

class Move {
  readonly #source: Engine;
  readonly #target: Engine;
  readonly #options: MoveOptions;

  constructor(source: Engine, target: Engine, options: MoveOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(clock: Clock): Promise<MoveReport> {
    const tables = await this.#listTables();
    await this.#prepare(tables, clock);
    const report: { name: string; rows: number }[] = [];
    for (const table of tables) report.push({ name: table.name, rows: await this.#copy(table) });
    for (const table of tables) await this.#verify(table);
    await this.#finish();
    return { tables: report };
  }

  /** Tables of the source, those that others refer to first. */
  async #listTables(): Promise<readonly MovedTable[]> {
    const tables = await this.#source.read(async (connection) => {
      const db = openSession<unknown>(this.#source, connection);
      const { rows } = await sql<{ name: string }>`
        select name from sqlite_master where type = 'table'
        and name not like 'sqlite\\_%' escape '\\' and name <> 'store_migrations'
        order by name`.execute(db);
      const found = new Map<string, MovedTable & { parents: readonly string[] }>();
      for (const { name } of rows) {
        const columns = await sql<{ name: string; type: string }>`
          select name, lower(type) as type from pragma_table_info(${name})`.execute(db);
        const parents = await sql<{ parent: string }>`
          select "table" as parent from pragma_foreign_key_list(${name})`.execute(db);
        found.set(name, {
          name,
          columns: columns.rows,
          parents: parents.rows.map((row) => row.parent),
        });
      }
      return found;
    });
    const ordered: MovedTable[] = [];
    const seen = new Set<string>();
    const visit = (name: string): void => {
      const table = tables.get(name);
      if (table === undefined || seen.has(name)) return;
      seen.add(name);
      for (const parent of table.parents) visit(parent);
      ordered.push(table);
    };
    for (const name of tables.keys()) visit(name);
    return ordered;
  }

  /** Leaves every table of the target empty, and a mark that a move is under way. */
  async #prepare(tables: readonly MovedTable[], clock: Clock): Promise<void> {
    await this.#write(async (connection) => {
      const db = openSession<unknown>(this.#target, connection);
      const known = new Set((await db.introspection.getTables()).map((table) => table.name));
      for (const { name } of tables) {
        if (known.has(name)) continue;
        throw new StoreError(
          'store_not_supported',
          `the source has a table '${name}' that none of the given modules knows`,
        );
      }
      await sql`delete from store_state where name = ${homeStateName}`.execute(db);
      const mark = await sql`
        select value from store_state where name = ${moveStateName}`.execute(db);
      for (const { name } of tables) {
        if (mark.rows.length > 0) {
          await sql`truncate ${sql.table(name)} cascade`.execute(db);
          continue;
        }
        const { rows } = await sql`select 1 from ${sql.table(name)} limit 1`.execute(db);
        if (rows.length === 0) continue;
        throw new StoreError(
          'store_target_not_empty',
          `${this.#target.label} already has rows in the table '${name}'`,
        );
      }
      await sql`insert into store_state (name, value)
        values (${moveStateName}, ${new Date(clock.now()).toISOString()})`.execute(db);
    });
  }

  async #copy(table: MovedTable): Promise<number> {
    const totalRows = await this.#count(table);
    const columns = sql.join(table.columns.map(({ name }) => sql.ref(name)));
    let rows = 0;
    let after = -(2 ** 53);
    for (;;) {
      const page = await this.#source.read(async (connection) => {
        const db = openSession<unknown>(this.#source, connection);
        const result = await sql<Record<string, unknown> & { row_number__: number }>`
          select rowid as row_number__, ${columns} from ${sql.table(table.name)}
          where rowid > ${after} order by rowid limit ${batchRows}`.execute(db);
        return result.rows;
      });
      const last = page.at(-1);
      if (last === undefined) return rows;
      after = last.row_number__;
      await this.#write(async (connection) => {
        const values = page.map(
          (row) => sql`(${sql.join(table.columns.map(({ name }) => row[name]))})`,
        );
        await sql`insert into ${sql.table(table.name)} (${columns}) values ${sql.join(values)}`.execute(
          openSession<unknown>(this.#target, connection),
        );
      });
      rows += page.length;
      this.#options.onProgress?.({ table: table.name, rows, totalRows });
    }
  }

  async #verify(table: MovedTable): Promise<void> {
    const before = await this.#summarise(this.#source, table);
    const after = await this.#summarise(this.#target, table);
    for (const [name, value] of Object.entries(before)) {
      if (String(after[name]) === String(value)) continue;
      throw new StoreError(
        'store_verification_failed',
        `table '${table.name}' differs after the move: ${name} is ${String(value)} in the source ` +
          `and ${String(after[name])} in the target`,
      );
    }
  }

  /** Numbers of a table that must be the same on both sides; the mark of the move is left out. */
  #summarise(engine: Engine, table: MovedTable): Promise<Readonly<Record<string, unknown>>> {
    const measures = table.columns.map(({ name, type }) => {
      const column = sql.ref(name);
      const bytes =
        engine.name === 'sqlite'
          ? sql`length(cast(${column} as blob))`
          : sql`octet_length(${column})`;
      const measure = type === 'integer' ? column : bytes;
      return sql`sum(${measure}) as ${sql.ref(`sum of ${name}`)}, count(${column}) as ${sql.ref(`values of ${name}`)}`;
    });
    return engine.read(
      async (connection) => {
        const condition =
          table.name === 'store_state' ? sql`where name <> ${moveStateName}` : sql``;
        const { rows } = await sql<Record<string, unknown>>`
          select count(*) as "number of rows", ${sql.join(measures)}
          from ${sql.table(table.name)} ${condition}`.execute(
          openSession<unknown>(engine, connection),
        );
        return rows[0] ?? {};
      },
      { timeoutMs: 0 },
    );
  }

  /**
   * Numbers that were given out must not come again; then the target is open. Of a copy that no server
   * has used yet the target begins anew.
   */
  async #finish(): Promise<void> {
    const sequences = await this.#source.read(async (connection) => {
      const { rows } = await sql<{ name: string; seq: number }>`
        select name, seq from sqlite_sequence`.execute(
        openSession<unknown>(this.#source, connection),
      );
      return rows;
    });
    const setback = await this.#source.read((connection) => this.#source.findSetback(connection));
    await this.#write(async (connection) => {
      const db = openSession<unknown>(this.#target, connection);
      for (const { name, seq } of sequences) {
        const { rows } = await sql<{ column_name: string }>`
          select column_name from information_schema.columns
          where table_schema = current_schema() and table_name = ${name} and is_identity = 'YES'`.execute(
          db,
        );
        for (const { column_name: column } of rows) {
          await sql`select setval(pg_get_serial_sequence(${name}, ${column}), ${seq})`.execute(db);
        }
      }
      if (setback !== undefined) {
        await sql`insert into store_state (name, value) values (${homeStateName}, 'a copy')`.execute(
          db,
        );
      }
      await sql`delete from store_state where name = ${moveStateName}`.execute(db);
    });
  }

  #count(table: MovedTable): Promise<number> {
    return this.#source.read(async (connection) => {
      const { rows } = await sql<{ count: number }>`
        select count(*) as count from ${sql.table(table.name)}`.execute(
        openSession<unknown>(this.#source, connection),
      );
      return rows[0]?.count ?? 0;
    });
  }

  #write(work: (connection: DatabaseConnection) => Promise<void>): Promise<void> {
    return this.#target.write(work, { timeoutMs: 0 });
  }
}
