import { sql, type DatabaseConnection } from 'kysely';
import type { Engine } from './engine.ts';
import { StoreError } from './errors.ts';
import type { StoreModule } from './migrations.ts';
import { openSession } from './session.ts';

const maxReported = 100;

/** Looks for damage and broken rules; returns one sentence for each problem. */
export function findProblems(
  engine: Engine,
  modules: readonly StoreModule[],
): Promise<readonly string[]> {
  const look = async (connection: DatabaseConnection): Promise<readonly string[]> => {
    const db = openSession<unknown>(engine, connection);
    const problems: string[] = [];
    try {
      if (engine.name === 'sqlite') problems.push(...(await checkFile(engine, connection)));
      for (const module of modules) {
        for (const check of module.checks ?? []) {
          const found = await check.find(db);
          problems.push(...found.map((problem) => `${module.name}, ${check.name}: ${problem}`));
        }
      }
    } catch (error) {
      // A damaged database can end the check itself: that is a finding, not a failure to look.
      if (!(error instanceof StoreError) || error.code !== 'store_corrupt') throw error;
      problems.push(error.message);
    }
    return problems.slice(0, maxReported);
  };
  return engine.read(look, { timeoutMs: 0 });
}

async function checkFile(
  engine: Engine,
  connection: DatabaseConnection,
): Promise<readonly string[]> {
  const db = openSession<unknown>(engine, connection);
  const pages = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(db);
  const references = await sql<{ table: string; rowid: number; parent: string }>`
    pragma foreign_key_check`.execute(db);
  return [
    ...pages.rows
      .filter((row) => row.integrity_check !== 'ok')
      .map((row) => `the file is damaged: ${row.integrity_check}`),
    ...references.rows.map(
      (row) => `row ${row.rowid} of ${row.table} refers to a row of ${row.parent} that is missing`,
    ),
  ];
}
