import type { Store, StoreTransaction } from '@holdfast/store';
import { CompiledQuery } from 'kysely';
import type { JournalTables } from './journal-module.ts';

/** Rows of one statement: few sizes, so that the few statements stay prepared. */
const sizes = [64, 16, 4, 1];

export interface InsertPlan {
  readonly dialect: Store['dialect'];
  /** `insert into … (…)`; the values follow. */
  readonly into: string;
  readonly columns: number;
  /** Follows the values: `on conflict …`, `returning …`. */
  readonly ending: string;
}

/** Inserts any number of rows; returns what the statements return. */
export async function insertRows<Returned>(
  transaction: StoreTransaction<JournalTables>,
  plan: InsertPlan,
  rows: readonly (readonly unknown[])[],
): Promise<readonly Returned[]> {
  const returned: Returned[] = [];
  for (let start = 0; start < rows.length;) {
    const left = rows.length - start;
    const size = sizes.find((candidate) => candidate <= left) ?? 1;
    const parameters = rows.slice(start, start + size).flat();
    const query = CompiledQuery.raw(statement(plan, size), parameters);
    const result = await transaction.executeQuery<Returned>(query);
    returned.push(...result.rows);
    start += size;
  }
  return returned;
}

const statements = new Map<string, string>();

function statement({ dialect, into, columns, ending }: InsertPlan, size: number): string {
  const name = `${dialect} ${size} ${into}`;
  let text = statements.get(name);
  if (text === undefined) {
    let number = 0;
    const placeholder = (): string => (dialect === 'sqlite' ? '?' : `$${(number += 1)}`);
    const row = (): string => `(${Array.from({ length: columns }, placeholder).join(', ')})`;
    text = `${into} values ${Array.from({ length: size }, row).join(', ')} ${ending}`;
    statements.set(name, text);
  }
  return text;
}
