/**
 * What happens when everybody comes back at once:
 * `npx node --conditions=@holdfast/source bench/storms.bench.ts [reconnect] [jitter] [avalanche] [--quick]`.
 * See README.md.
 *
 * @module
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable } from './report.ts';
import { avalanche } from './storms/avalanche.ts';
import { jitter } from './storms/jitter.ts';
import { reconnect } from './storms/reconnect.ts';
import { fullStorms, quickStorms } from './storms/storm-scale.ts';

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const scale = values.quick ? quickStorms : fullStorms;
const progress = (text: string): void => console.error(text);
const storms = {
  reconnect: () => reconnect(scale.reconnect, progress),
  jitter: () => jitter(scale.jitter, progress),
  avalanche: () => avalanche(scale.avalanche, progress),
};

for (const name of positionals.length > 0 ? positionals : Object.keys(storms)) {
  if (!Object.hasOwn(storms, name)) throw new Error(`No storm is called ${name}`);
  const { table, rounds } = await storms[name as keyof typeof storms]();
  console.log(`\n${formatTable(table)}\n`);
  for (const round of rounds) console.log(JSON.stringify(round));
}
console.log(
  `\nNode ${process.version}, load average ${(loadavg()[0] ?? 0).toFixed(2)} at the end.`,
);
