import { CompiledQuery, type DatabaseConnection } from 'kysely';

/** Name in `store_state` of where the rows were written. */
export const homeStateName = 'home';

/** Differs after every restore of a dump: of the server, the database, or the tables. */
const home = `concat_ws('/', (select system_identifier from pg_control_system()),
  (select oid from pg_database where datname = current_database()), 'store_state'::regclass::oid)`;

/** See `Engine.findSetback`. A physical restore has the home of before, and is not found. */
export async function findSetback(connection: DatabaseConnection): Promise<string | undefined> {
  const { rows } = await connection.executeQuery<{ is_home: boolean }>(
    CompiledQuery.raw(
      `select value = ${home} as is_home from store_state where name = '${homeStateName}'`,
    ),
  );
  const [found] = rows;
  // Not there in a new one.
  if (found === undefined || found.is_home) return undefined;
  return 'it was written in another place and restored here';
}

/** See `Engine.endSetback`. */
export async function endSetback(connection: DatabaseConnection): Promise<void> {
  await connection.executeQuery(
    CompiledQuery.raw(
      `insert into store_state (name, value) values ('${homeStateName}', ${home})
      on conflict (name) do update set value = excluded.value`,
    ),
  );
}
