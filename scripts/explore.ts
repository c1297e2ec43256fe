/**
 * `npm run explore -- [minutes] [path …]`: the property tests over and over, each round from a new
 * seed, until the time (60 minutes by default) is over. `npm test` always begins at the same seed;
 * this is what looks where nobody has looked yet. Ends at the first failure, and prints the command
 * that brings it back.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';

const [minutes = '60', ...paths] = process.argv.slice(2);
const endsAt = performance.now() + Number(minutes) * 60_000;
if (!Number.isFinite(endsAt)) throw new Error(`'${minutes}' is no number of minutes`);

const files = globSync('{packages/*/src,conformance,bench,scripts}/**/*.test.{ts,tsx}').filter(
  (file) =>
    readFileSync(file, 'utf8').includes("from 'fast-check'") &&
    (paths.length === 0 || paths.some((path) => file.startsWith(path))),
);
if (files.length === 0) throw new Error(`no property tests in ${paths.join(', ')}`);

let rounds = 0;
do {
  const seed = String(randomInt(2 ** 31));
  const { status } = spawnSync('vitest', ['run', '--reporter=dot', ...files], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PROPERTY_SEED: seed },
  });
  if (status !== 0) {
    console.log(
      `\nround ${rounds + 1} failed. Again: PROPERTY_SEED=${seed} npm run unit -- <file>`,
    );
    process.exit(1);
  }
  rounds += 1;
} while (performance.now() < endsAt);
console.log(`\n${rounds} rounds of ${files.length} files, nothing found`);
