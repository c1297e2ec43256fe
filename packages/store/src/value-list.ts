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
  const json = JSON.stringify(values);
  if (dialect === 'sqlite') return sql`(select value from json_each(${json}))`;
  const type = sql.raw(typeof values[0] === 'number' ? 'bigint' : 'text');
  return sql`(select value::${type} from json_array_elements_text(${json}::json))`;
}
