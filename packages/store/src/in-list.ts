import { sql, type RawBuilder } from 'kysely';
import type { DialectName } from './engine.ts';

/**
 * What makes `column ${inList(…)}` mean that the column is one of these values: any number of them as
 * one parameter, so that the text of a statement (and its cached plan) does not depend on how many
 * there are.
 */
export function inList(
  dialect: DialectName,
  values: readonly string[] | readonly number[],
): RawBuilder<unknown> {
  if (dialect === 'sqlite') return sql`in (select value from json_each(${JSON.stringify(values)}))`;
  const type = sql.raw(typeof values[0] === 'number' ? 'bigint' : 'text');
  // Not a query of the list's members: of a table that has no statistics yet the planner then thinks
  // that reading all of it costs no more than looking the members up in the index.
  return sql`= any(${values}::${type}[])`;
}
