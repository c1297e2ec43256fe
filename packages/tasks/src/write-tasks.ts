import { insertRows, recordSet, type Store, type StoreTransaction } from '@holdfast/store';
import { sql } from 'kysely';
import type { TaskRow, TaskTables } from './task-module.ts';

type Transaction = StoreTransaction<TaskTables>;
type Dialect = Store['dialect'];

/** 50 columns a row, and SQLite takes 32,766 parameters. */
const rowsOfSqlite = 200;

/** Writes what differs from `stored`: on PostgreSQL in one statement, however many rows there are. */
export async function updateTasks(
  trx: Transaction,
  dialect: Dialect,
  rows: readonly { readonly row: TaskRow; readonly stored: Readonly<TaskRow> }[],
): Promise<void> {
  const changes = rows
    .map(({ row, stored }) => ({ row, columns: changedColumns(row, stored) }))
    .filter(({ columns }) => columns.length > 0);
  if (changes.length === 0) return;
  if (dialect === 'sqlite') {
    for (const { row, columns } of changes) {
      await trx.updateTable('tasks').set(pick(row, columns)).where('id', '=', row.id).execute();
    }
    return;
  }
  const columns = [...new Set(changes.flatMap((change) => change.columns))].toSorted();
  const values = changes.map(({ row }) => pick(row, ['id', ...columns]));
  const assignments = columns.map(
    (column) => sql`${sql.ref(column)} = ${sql.ref(`new.${column}`)}`,
  );
  await sql`update tasks set ${sql.join(assignments)}
    from ${recordSet('tasks', values)} as new
    where tasks.id = new.id`.execute(trx);
}

/** Writes new rows. */
export async function insertTasks(
  trx: Transaction,
  dialect: Dialect,
  rows: readonly TaskRow[],
): Promise<void> {
  const atOnce = dialect === 'sqlite' ? rowsOfSqlite : rows.length;
  for (let start = 0; start < rows.length; start += atOnce) {
    await insertRows(dialect, 'tasks', rows.slice(start, start + atOnce)).execute(trx);
  }
}

type Column = keyof TaskRow;

function changedColumns(row: TaskRow, stored: Readonly<TaskRow>): readonly Column[] {
  return (Object.keys(row) as Column[]).filter((column) => row[column] !== stored[column]);
}

function pick(row: TaskRow, columns: readonly Column[]): Partial<TaskRow> {
  return Object.fromEntries(columns.map((column) => [column, row[column]]));
}
