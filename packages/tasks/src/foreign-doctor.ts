import { audit, recordAudit, type DoctorOptions, type Finding } from './doctor.ts';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';

/** The part of a PostgreSQL client (`Pool` or `Client` of `pg`) that is needed. */
export interface ForeignDatabase {
  query(
    text: string,
    values: readonly unknown[],
  ): Promise<{
    readonly rows: readonly Record<string, unknown>[];
    readonly rowCount: number | null;
  }>;
}

/** Describes a table of another product whose status rows can get stuck, such as `syncs`. */
export interface ForeignTable {
  /** Perhaps with a schema: `public.syncs`. */
  readonly table: string;
  /** @defaultValue 'id' */
  readonly idColumn?: string;
  readonly statusColumn: string;
  /** Statuses that claim that something goes on. */
  readonly liveStatuses: readonly string[];
  /** Column with the newest sign of life; the latest of several counts. */
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
 * @throws {@link TaskError} `task_bad_request` when the description cannot be used
 */
export async function examineForeignTable(
  context: TaskContext,
  target: { readonly database: ForeignDatabase; readonly mapping: ForeignTable },
  options: DoctorOptions = {},
): Promise<readonly Finding[]> {
  const { database, mapping } = target;
  const { table, status, id, stale } = compile(mapping);
  const { rows } = await database.query(
    `select ${id}::text as id, ${status}::text as status from ${table}
     where ${status}::text = any($1) and ${stale} order by ${id} limit $3`,
    [mapping.liveStatuses, mapping.staleAfterMs, options.limit ?? 1000],
  );
  const findings: Finding[] = [];
  for (const row of rows) {
    const subject = `${mapping.table}/${String(row['id'])}`;
    const problem = `is ${String(row['status'])} without a sign of life for ${mapping.staleAfterMs} ms`;
    const action = `set ${mapping.statusColumn} to ${mapping.healedStatus}`;
    let isHealed = false;
    if (options.heal === true) {
      const error =
        mapping.errorColumn === undefined
          ? ''
          : `, ${quote(mapping.errorColumn)} = 'abandoned by its worker'`;
      // Recorded first: a repair without a record must not be; a record of one that failed is harmless.
      const record = audit(context, {
        actor: options.actor ?? 'doctor',
        subject,
        problem,
        action,
        before: JSON.stringify(row),
      });
      await context.store.transaction((trx) => recordAudit(trx, record));
      const { rowCount } = await database.query(
        `update ${table} set ${status} = $1${error}
         where ${id}::text = $3 and ${status}::text = $4 and ${stale}`,
        [mapping.healedStatus, mapping.staleAfterMs, row['id'], row['status']],
      );
      isHealed = rowCount === 1;
    }
    findings.push({ subject, problem, action, isHealed });
  }
  return findings;
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

function compile(mapping: ForeignTable) {
  if (!(mapping.staleAfterMs >= 1000) || mapping.timestampColumns.length === 0) {
    throw new TaskError(
      'task_bad_request',
      'staleAfterMs must be from 1000, with a timestamp column',
    );
  }
  if (mapping.liveStatuses.length === 0 || mapping.liveStatuses.includes(mapping.healedStatus)) {
    throw new TaskError('task_bad_request', 'the healed status must not be one of the live ones');
  }
  const stamps = mapping.timestampColumns.map(quote).join(', ');
  return {
    table: quote(mapping.table),
    status: quote(mapping.statusColumn),
    id: quote(mapping.idColumn ?? 'id'),
    stale: `greatest(${stamps}) < now() - make_interval(secs => $2::double precision / 1000)`,
  };
}
