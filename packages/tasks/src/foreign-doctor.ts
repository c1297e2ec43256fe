import { audit, recordAudit, type DoctorOptions, type Finding } from './doctor.ts';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';

/** The part of a PostgreSQL client (`Pool` or `Client` of `pg`) that is needed. */
export interface ForeignPostgres {
  query(
    text: string,
    values: readonly unknown[],
  ): Promise<{
    readonly rows: readonly Record<string, unknown>[];
    readonly rowCount: number | null;
  }>;
}

/** The part of an SQLite database (of `better-sqlite3` or `node:sqlite`) that is needed. */
export interface ForeignSqlite {
  /** A statement with `all` and `run`, which take values one by one. */
  prepare(text: string): object;
}

/** The database of another product: a client of `pg`, of `better-sqlite3` or of `node:sqlite`. */
export type ForeignDatabase = ForeignPostgres | ForeignSqlite;

/** Describes a table of another product whose status rows can get stuck, such as `syncs`. */
export interface ForeignTable {
  /** Perhaps with a schema: `public.syncs`. */
  readonly table: string;
  /** @defaultValue 'id' */
  readonly idColumn?: string;
  readonly statusColumn: string;
  /** Statuses that claim that something goes on. */
  readonly liveStatuses: readonly string[];
  /**
   * Column with the newest sign of life; the latest of several counts. On SQLite text that its date
   * functions read, or Unix seconds or milliseconds.
   */
  readonly timestampColumns: readonly string[];
  /** So long without a sign of life means stuck. At least 1000. */
  readonly staleAfterMs: number;
  /** Status that a healed row gets. */
  readonly healedStatus: string;
  /** Set to the reason. */
  readonly errorColumn?: string;
}

const identifier = /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/;

/**
 * Finds rows of a foreign table that say that something goes on and have shown no sign of life for
 * long, and with `heal` gives them a final status. A row that moves in between is left alone: it is
 * changed only while it is still the same. Repairs are recorded in our own store.
 *
 * @param context where repairs are recorded; not needed for a dry run
 * @throws {@link TaskError} `task_bad_request` when the description cannot be used
 */
export async function examineForeignTable(
  context: TaskContext | undefined,
  target: { readonly database: ForeignDatabase; readonly mapping: ForeignTable },
  options: DoctorOptions = {},
): Promise<readonly Finding[]> {
  const { mapping } = target;
  const table = openForeignTable(target.database, mapping);
  const findings: Finding[] = [];
  for (const row of await table.findStale(options.limit ?? 1000)) {
    const subject = `${mapping.table}/${row.id}`;
    const problem = `is ${row.status} without a sign of life for ${mapping.staleAfterMs} ms`;
    const action = `set ${mapping.statusColumn} to ${mapping.healedStatus}`;
    let isHealed = false;
    if (options.heal === true) {
      if (context === undefined) {
        throw new TaskError('task_bad_request', 'nothing can be healed without a record of it');
      }
      // Recorded first: a repair without a record must not be; a record of one that failed is harmless.
      const record = audit(context, {
        actor: options.actor ?? 'doctor',
        subject,
        problem,
        action,
        before: JSON.stringify(row),
      });
      await context.store.transaction((trx) => recordAudit(trx, record));
      isHealed = await table.heal(row);
    }
    findings.push({ subject, problem, action, isHealed });
  }
  return findings;
}

interface StaleRow {
  readonly id: string;
  readonly status: string;
}

interface OpenTable {
  findStale(limit: number): Promise<readonly StaleRow[]>;
  /** Changes a row if it is still the same and still stale. */
  heal(row: StaleRow): Promise<boolean>;
}

function openForeignTable(database: ForeignDatabase, mapping: ForeignTable): OpenTable {
  const names = compile(mapping);
  return 'query' in database
    ? onPostgres(database, mapping, names)
    : onSqlite(database, mapping, names);
}

const abandoned = 'abandoned by its worker';

function onPostgres(database: ForeignPostgres, mapping: ForeignTable, names: Names): OpenTable {
  const { table, status, id, error, stamps } = names;
  const stale = `greatest(${stamps.join(', ')}) < now() - make_interval(secs => $2::double precision / 1000)`;
  return {
    async findStale(limit) {
      const { rows } = await database.query(
        `select ${id}::text as id, ${status}::text as status from ${table}
         where ${status}::text = any($1) and ${stale} order by ${id} limit $3`,
        [mapping.liveStatuses, mapping.staleAfterMs, limit],
      );
      return rows.map((row) => ({ id: String(row['id']), status: String(row['status']) }));
    },
    async heal(row) {
      const { rowCount } = await database.query(
        `update ${table} set ${status} = $1${error === undefined ? '' : `, ${error} = '${abandoned}'`}
         where ${id}::text = $3 and ${status}::text = $4 and ${stale}`,
        [mapping.healedStatus, mapping.staleAfterMs, row.id, row.status],
      );
      return rowCount === 1;
    },
  };
}

interface SqliteStatement {
  all(...values: readonly (string | number)[]): readonly unknown[];
  run(...values: readonly (string | number)[]): { readonly changes: number | bigint };
}

function onSqlite(database: ForeignSqlite, mapping: ForeignTable, names: Names): OpenTable {
  const { table, status, id, error, stamps } = names;
  const ages = stamps.map((stamp) => `coalesce(${sqliteMs(stamp)}, 0)`);
  // A single argument would make `max` an aggregate.
  const stale = `nullif(max(0, ${ages.join(', ')}), 0) < ${sqliteMs(`'now'`)} - ?`;
  const prepare = (text: string): SqliteStatement => database.prepare(text) as SqliteStatement;
  const live = mapping.liveStatuses.map(() => '?').join(', ');
  return {
    findStale(limit) {
      const rows = prepare(`select cast(${id} as text) as id, ${status} as status from ${table}
           where ${status} in (${live}) and ${stale} order by ${id} limit ?`).all(
        ...mapping.liveStatuses,
        mapping.staleAfterMs,
        limit,
      ) as readonly StaleRow[];
      return Promise.resolve(rows);
    },
    heal(row) {
      const { changes } =
        prepare(`update ${table} set ${status} = ?${error === undefined ? '' : `, ${error} = '${abandoned}'`}
           where cast(${id} as text) = ? and ${status} = ? and ${stale}`).run(
          mapping.healedStatus,
          row.id,
          row.status,
          mapping.staleAfterMs,
        );
      return Promise.resolve(Number(changes) === 1);
    },
  };
}

/** Unix milliseconds of a value; numbers below 10^11 are seconds. */
function sqliteMs(value: string): string {
  return `(case when typeof(${value}) = 'text' then (julianday(${value}) - 2440587.5) * 86400000.0
    when ${value} < 1e11 then ${value} * 1000.0 else ${value} end)`;
}

function quote(name: string): string {
  if (!identifier.test(name)) {
    throw new TaskError(
      'task_bad_request',
      `${JSON.stringify(name)} is not the name of a table or column`,
    );
  }
  return name
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
}

/** Quoted names. */
interface Names {
  readonly table: string;
  readonly status: string;
  readonly id: string;
  readonly error: string | undefined;
  readonly stamps: readonly string[];
}

function compile(mapping: ForeignTable): Names {
  if (!(mapping.staleAfterMs >= 1000) || mapping.timestampColumns.length === 0) {
    throw new TaskError(
      'task_bad_request',
      'staleAfterMs must be from 1000, with a timestamp column',
    );
  }
  if (mapping.liveStatuses.length === 0 || mapping.liveStatuses.includes(mapping.healedStatus)) {
    throw new TaskError('task_bad_request', 'the healed status must not be one of the live ones');
  }
  return {
    table: quote(mapping.table),
    status: quote(mapping.statusColumn),
    id: quote(mapping.idColumn ?? 'id'),
    error: mapping.errorColumn === undefined ? undefined : quote(mapping.errorColumn),
    stamps: mapping.timestampColumns.map(quote),
  };
}
