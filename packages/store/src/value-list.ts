import { sql, type RawBuilder } from 'kysely';
import type { DialectName } from './engine.ts';

/**
 * The right side of `… in ${valueList(…)}`: any number of values as one parameter, so that the text
 * of a statement (and its cached plan) does not depend on how many there are.
 */
export function valueList(
  dialect: DialectName,
  values: readonly string[] | readonly number[],
): RawBuilder<unknown> {
  if (dialect === 'sqlite') return sql`(select value from json_each(${JSON.stringify(values)}))`;
  const type = sql.raw(typeof values[0] === 'number' ? 'bigint' : 'text');
  // The planner knows how long an array is; of a JSON text it assumes a hundred rows, and reads the
  // whole table for them.
  return sql`(select unnest(${values}::${type}[]))`;
}
