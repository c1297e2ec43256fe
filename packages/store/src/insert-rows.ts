import { sql, type RawBuilder } from 'kysely';
import type { DialectName } from './engine.ts';

/**
 * `insert into` a table with these rows, to be executed as it is or continued with `on conflict` or
 * `returning`. All rows have the members of the first one, named as the columns.
 *
 * On PostgreSQL the rows are one parameter, so that neither the text of the statement nor the work of
 * taking it apart grows with them; a clause that begins with `where` can follow. On SQLite, where
 * each value is a parameter, rows times columns may be 32,766.
 */
export function insertRows(
  dialect: DialectName,
  table: string,
  rows: readonly object[],
): RawBuilder<unknown> {
  const names = Object.keys(rows[0] ?? {});
  const columns = sql.join(names.map((name) => sql.ref(name)));
  const into = sql`insert into ${sql.table(table)} (${columns})`;
  if (dialect === 'sqlite') {
    // One flat template: nested ones cost more than the database needs for the rows.
    const values = rows.flatMap((row) => names.map((name) => valueOf(row, name)));
    const between = values.map((_, index) => (index % names.length === 0 ? '), (' : ', '));
    const template = ['(', ...between.slice(1), ')'] as unknown as TemplateStringsArray;
    return sql`${into} values ${sql(template, ...values)}`;
  }
  return sql`${into} select ${columns} from ${recordSet(table, rows)}`;
}

/** What follows `from` on PostgreSQL: rows of a table, or some of their columns, as one parameter. */
export function recordSet(table: string, rows: readonly object[]): RawBuilder<unknown> {
  return sql`json_populate_recordset(null::${sql.table(table)}, ${toJson(rows)}::json)`;
}

function valueOf(row: object, name: string): unknown {
  return (row as Readonly<Record<string, unknown>>)[name];
}

/** Half a character, as a cut text may end with, is no JSON to PostgreSQL. */
function toJson(rows: readonly object[]): string {
  return JSON.stringify(rows, (_, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  );
}
