/**
 * `npx node --conditions=@holdfast/source bench/durable-history.bench.ts [--seconds 3]`: what it costs
 * to keep history before publishers are answered. The hub publishes messages of 200 bytes to channels
 * with one publisher each, and all to one channel; there are no subscribers, so that nothing else is
 * measured. A first row measures the disk itself: appending 200 bytes to a file and waiting for it.
 *
 * @module
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createHub, type Hub } from '@holdfast/hub';
import { createStoreJournals, journalModule, type JournalTables } from '@holdfast/journal';
import { openStore, type Store } from '@holdfast/store';
import { startPostgres } from '@holdfast/store/testing/postgres-server';
import { figure, formatTable } from './report.ts';
import { percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const seconds = Number(values.seconds);
const widths = [1, 100, 1000];
const data = Buffer.from(JSON.stringify({ text: 'x'.repeat(189) }));

interface Target {
  readonly name: string;
  readonly hub: Hub;
  readonly store?: Store<JournalTables>;
}

interface Measurement {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU microseconds of a publish. */
  readonly cpu: number;
}

async function startTarget(name: string, store?: Store<JournalTables>): Promise<Target> {
  const hub = createHub({
    channel: {
      withoutNamespace: {
        historySize: 100,
        historyTtlMs: 600_000,
        historyDurable: store !== undefined,
      },
    },
    ...(store && { journals: createStoreJournals(store, { node: 'bench' }) }),
  });
  await hub.start();
  return { name, hub, ...(store && { store }) };
}

async function openTarget(name: string, options: Parameters<typeof openStore>[0]): Promise<Target> {
  const store = await openStore<JournalTables>({ ...options, modules: [journalModule] });
  return startTarget(name, store);
}

/** Publishers that each publish again when they are answered. */
async function measure(
  { hub }: Target,
  width: number,
  channelOf: (publisher: number) => string,
): Promise<Measurement> {
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  const begin = performance.now();
  const cpuBefore = process.cpuUsage();
  const publisher = async (index: number): Promise<void> => {
    const channel = channelOf(index);
    for (let at = performance.now(); at < until;) {
      await hub.publish(channel, data);
      const now = performance.now();
      latencies.push(now - at);
      at = now;
      // Without a journal nothing else would make the loop turn.
      if (latencies.length % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: width }, (_, index) => publisher(index)));
  const elapsed = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    perSecond: latencies.length / elapsed,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpu: (user + system) / latencies.length,
  };
}

function measureDisk(folder: string): readonly string[] {
  const file = openSync(path.join(folder, 'disk'), 'w');
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const at = performance.now();
    writeSync(file, data);
    fsyncSync(file);
    latencies.push(performance.now() - at);
  }
  closeSync(file);
  return [
    'the disk: write and fsync',
    '1',
    figure(latencies.length / seconds),
    '',
    figure(percentile(latencies, 0.5)),
    figure(percentile(latencies, 0.99)),
    '',
  ];
}

const folder = mkdtempSync(path.join(values.folder, 'holdfast-durable-history-'));
const postgres = await startPostgres();
try {
  const file = (name: string): string => `sqlite:${path.join(folder, `${name}.db`)}`;
  const memory = await startTarget('memory');
  const targets = [
    memory,
    await openTarget('SQLite, synchronous: normal', {
      url: file('normal'),
      sqlite: { synchronous: 'normal' },
    }),
    await openTarget('SQLite, synchronous: full', { url: file('full') }),
    await openTarget('PostgreSQL', { url: await postgres.createDatabase('bench') }),
  ];
  const shapes: readonly (readonly [title: string, channelOf: (publisher: number) => string])[] = [
    ['a channel for each publisher', (publisher) => `channel${publisher}`],
    ['all publishers in one channel', () => 'one'],
  ];
  console.error(`load before: ${loadavg()[0]?.toFixed(2)}`);
  for (const [title, channelOf] of shapes) {
    const rows: string[][] = [[...measureDisk(folder)]];
    for (const width of widths) {
      let base = Number.NaN;
      for (const target of targets) {
        // The first one warms up.
        await measure(target, width, channelOf);
        const { perSecond, p50, p99, cpu } = await measure(target, width, channelOf);
        if (target === memory) base = perSecond;
        rows.push([
          target.name,
          String(width),
          figure(perSecond),
          figure(perSecond / base),
          figure(p50),
          figure(p99),
          figure(cpu),
        ]);
        console.error(rows.at(-1)?.join(' | '));
      }
    }
    console.log(
      formatTable({
        title,
        columns: ['', 'at once', 'publishes/s', 'of memory', 'p50 ms', 'p99 ms', 'CPU µs'],
        rows,
      }),
    );
  }
  for (const { hub, store } of targets) {
    await hub.shutdown({ timeoutMs: 1000 });
    await store?.close();
  }
} finally {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
