/**
 * `npm run bench`: measures Holdfast beside a plain `ws` loop and beside Socket.IO. See README.md.
 *
 * @module
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runBench, saveResult, workloads } from './bench-run.ts';
import { formatAims, formatReport } from './report.ts';
import { fullScale, quickScale } from './scale.ts';
import { describeTarget, targetNames } from './targets/target.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    workloads: { type: 'string', default: workloads.map(({ name }) => name).join(',') },
    targets: { type: 'string', default: targetNames.join(',') },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`npm run bench -- [--quick] [--workloads a,b] [--targets a,b]

Workloads: ${workloads.map(({ name }) => name).join(', ')}
Targets:
${targetNames.map((name) => `  ${name.padEnd(10)} ${describeTarget(name)}`).join('\n')}`);
} else {
  await main();
}

async function main(): Promise<void> {
  const chosen = values.workloads.split(',').map((name) => {
    const workload = workloads.find((candidate) => candidate.name === name);
    if (workload === undefined) throw new Error(`No workload is called ${name}; see --help`);
    return workload;
  });
  const targets = values.targets.split(',');
  for (const name of targets) describeTarget(name);

  const started = performance.now();
  const result = await runBench({
    scale: values.quick ? quickScale : fullScale,
    targets,
    workloads: chosen,
    progress: (text) => {
      const seconds = Math.round((performance.now() - started) / 1_000);
      console.error(`[${String(seconds).padStart(4)} s] ${text}`);
    },
    onReport: (report) => console.log(`\n${formatReport(report)}\n`),
  });

  const { node, processor, cores, loadBefore, loadAfter } = result.machine;
  const aims = result.reports.flatMap((report) => report.aims);
  if (aims.length > 0) console.log(formatAims(aims));
  console.log(`
Node ${node}, ${cores} × ${processor}; load average ${loadBefore.toFixed(2)} before, ${loadAfter.toFixed(2)} after.
Generator and servers share this machine: compare figures of one run, not of two machines. Where
"foreign" (load) is more than a few percent others were at work and the figures are worth less.`);
  if (values.quick) console.log('Quick: few connections and rounds; the verdicts are a hint only.');
  const file = saveResult(result, path.join(import.meta.dirname, 'results'));
  console.log(`Every round: ${path.relative(process.cwd(), file)}`);
}
