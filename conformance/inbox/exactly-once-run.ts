/**
 * Ten thousand notifications through a server that is killed at random moments, or as many as the first
 * argument says. Ends with an error when one is missing or came twice.
 */
import { writeSync } from 'node:fs';
import { runKilledServer, userOf } from './killed-server.ts';

const sends = Number(process.argv[2] ?? 10_000);
const users = 20;
const { kills, repeated, heard, ids, unread, durationMs } = await runKilledServer({
  sends,
  users,
  maxSendsPerLife: 800,
});
let missing = 0;
let doubled = 0;
for (const [user, numbers] of heard) {
  const different = new Set(numbers).size;
  const expected = Array.from({ length: sends }, (_, send) => userOf(send, users)).filter(
    (one) => one === user,
  ).length;
  missing += expected - different;
  doubled += numbers.length - different + (numbers.length - new Set(ids.get(user)).size);
}
const counted = [...unread.values()].reduce((sum, one) => sum + one, 0);
writeSync(
  1,
  `${JSON.stringify({ sends, users, kills, repeated, missing, doubled, counted, durationMs: Math.round(durationMs) })}\n`,
);
process.exitCode = missing === 0 && doubled === 0 && counted === sends ? 0 : 1;
