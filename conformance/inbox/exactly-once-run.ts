/**
 * Ten thousand notifications through a server that is killed at random moments, on SQLite and on
 * PostgreSQL, or as many as the first argument says. Ends with an error when one is missing or came twice.
 */
import { writeSync } from 'node:fs';
import { startPostgres } from '@holdfast/store/testing';
import { killing, runTroubledServer } from './troubled-server.ts';

const sends = Number(process.argv[2] ?? 10_000);
if (!Number.isSafeInteger(sends) || sends < 1)
  throw new Error(`'${process.argv[2]}' is no number of sends`);
const users = 20;
await using postgres = await startPostgres();
const storeUrl = await postgres.createDatabase('app');

for (const [store, where] of Object.entries({ SQLite: {}, PostgreSQL: { storeUrl } })) {
  const trouble = killing(sends, { maxSendsPerLife: 800 });
  const result = await runTroubledServer({ sends, users, trouble, ...where });
  const durationMs = Math.round(result.durationMs);
  writeSync(1, `${JSON.stringify({ store, sends, users, ...result, durationMs })}\n`);
  if (result.missing > 0 || result.doubled > 0) process.exitCode = 1;
}
