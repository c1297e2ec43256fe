import { setTimeout as delay } from 'node:timers/promises';
import { startAll, type MeasuredServer } from '../processes/measured-server.ts';
import type { ProcessUsage } from '../processes/resource-usage.ts';
import { figure, judge, type Table } from '../report.ts';
import { median } from '../statistics.ts';
import { subject, targetsOf, turnOrder, type Workload } from './workload.ts';

/** Opened and closed again first, so that code and tables that every server has are not counted. */
const warmUpConnections = 500;

interface Reading {
  readonly target: string;
  readonly round: number;
  readonly connections: number;
  readonly rssBytesPerConnection: number;
  readonly heapBytesPerConnection: number;
  readonly externalBytesPerConnection: number;
  /** CPU µs that one idle connection takes per second. */
  readonly cpuUsPerSecond: number;
}

interface Started {
  readonly measured: MeasuredServer;
  readonly empty: ProcessUsage;
}

async function warmUp(measured: MeasuredServer, most: number): Promise<Started> {
  const count = Math.min(warmUpConnections, most);
  await measured.generator.call('open', { count, inFlight: 64 });
  await measured.server.call('publish', { messages: 1, bytes: 200 });
  await measured.generator.call('delivered', { messages: 1 });
  await measured.generator.call('closeAll');
  await measured.server.call('emptied');
  return { measured, empty: await measured.server.call('settledUsage') };
}

function tableOf(readings: readonly Reading[], connections: number): Table {
  const targets = targetsOf(readings);
  return {
    title: `${figure(connections)} connections`,
    columns: [
      'target',
      'RSS KB/connection',
      'from … to',
      'heap KB',
      'external KB',
      'CPU µs/s/connection',
    ],
    rows: targets.map((target) => {
      const own = readings.filter(
        (reading) => reading.target === target && reading.connections === connections,
      );
      const rss = own.map(({ rssBytesPerConnection }) => rssBytesPerConnection / 1_024);
      return [
        target,
        figure(median(rss)),
        `${figure(Math.min(...rss))} … ${figure(Math.max(...rss))}`,
        figure(median(own.map(({ heapBytesPerConnection }) => heapBytesPerConnection / 1_024))),
        figure(
          median(own.map(({ externalBytesPerConnection }) => externalBytesPerConnection / 1_024)),
        ),
        figure(median(own.map(({ cpuUsPerSecond }) => cpuUsPerSecond))),
      ];
    }),
  };
}

/** What a connection costs that only stays: one subscription, pings, nothing else. */
export const idleMemory: Workload = {
  name: 'idle',
  async run({ scale, targets, progress }) {
    const { connections, rounds, pingIntervalMs, holdMs } = scale.idle;
    const most = Math.max(...connections);
    const readings: Reading[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const stage = `idle: round ${round} of ${rounds}`;
      // New processes each round: what a heap has been through stays visible in its RSS.
      await using all = await startAll(turnOrder(targets, round - 1), { pingIntervalMs });
      const started: Started[] = [];
      for (const measured of all.servers) {
        progress(`${stage}, ${measured.target} warms up`);
        started.push(await warmUp(measured, most));
      }
      let open = 0;
      for (const count of connections) {
        for (const { measured } of started) {
          progress(`${stage}, ${measured.target}, up to ${count} connections`);
          await measured.generator.call('open', { count: count - open, inFlight: 128 });
        }
        open = count;
        progress(`${stage}, ${count} connections each are held for ${holdMs / 1_000} s`);
        const before = await Promise.all(
          started.map(({ measured }) => measured.server.call('usage')),
        );
        await delay(holdMs);
        for (const [index, { measured, empty }] of started.entries()) {
          const held = await measured.server.call('usage');
          const full = await measured.server.call('settledUsage');
          // Whoever was lost meanwhile takes no memory: then there is nothing to read.
          await measured.generator.call('delivered', { messages: 0 });
          const cpuUs = held.cpuUs - (before[index]?.cpuUs ?? Number.NaN);
          readings.push({
            target: measured.target,
            round,
            connections: count,
            rssBytesPerConnection: (full.rssBytes - empty.rssBytes) / count,
            heapBytesPerConnection: (full.heapBytes - empty.heapBytes) / count,
            externalBytesPerConnection: (full.externalBytes - empty.externalBytes) / count,
            cpuUsPerSecond: cpuUs / (holdMs / 1_000) / count,
          });
        }
      }
    }
    return {
      name: 'idle',
      title: `Idle connections: one subscription each, pinged every ${pingIntervalMs / 1_000} s`,
      notes: [
        `Growth of the server process since it was empty, divided by its connections; median of ${rounds} rounds, each with new processes.`,
        `"Empty" is after ${Math.min(warmUpConnections, most)} connections came and went; every reading is after garbage collection until the heap stays, ${holdMs / 1_000} s after the last connect.`,
        'All processes run with --max-semi-space-size=16, as `npm start` does.',
        'RSS holds what the process took from the system and includes what V8 keeps in reserve; kernel socket memory (about 4 KB per socket) is in no figure.',
      ],
      tables: connections.map((count) => tableOf(readings, count)),
      aims: connections.flatMap((count) => {
        const own = readings.filter(
          (reading) => reading.target === subject && reading.connections === count,
        );
        if (own.length === 0) return [];
        return judge(
          {
            name: `idle, ${figure(count)} connections: RSS per connection`,
            bound: 14,
            direction: 'at most',
            unit: 'KB',
          },
          own.map(({ rssBytesPerConnection }) => rssBytesPerConnection / 1_024),
        );
      }),
      rounds: readings,
    };
  },
};
