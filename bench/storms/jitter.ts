import { figure, type Table } from '../report.ts';
import { percentile } from '../statistics.ts';
import { percent, Storm, type StormCost, type StormSettings } from './storm.ts';

export interface JitterScale {
  readonly clients: number;
  readonly messages: number;
  readonly intervalMs: number;
  /** How often a client's connection drops, about. */
  readonly everyMs: number;
  readonly offlineMs: number;
}

interface Result extends StormCost {
  readonly target: string;
  readonly drops: number;
  readonly received: number;
  readonly repeated: number;
  readonly unrecovered: number;
  readonly latenciesMs: Float64Array;
}

/** Clients whose connections keep dropping, while messages are published at a steady pace. */
async function measure(target: StormSettings['target'], scale: JitterScale): Promise<Result> {
  const { clients, messages, intervalMs, everyMs, offlineMs } = scale;
  await using storm = await Storm.begin({ target, clients });
  await storm.clients.call('startClock');
  const { result: drops, cost } = await storm.costOf(async () => {
    const [dropped] = await Promise.all([
      storm.clients.call('jitter', {
        durationMs: messages * intervalMs,
        everyMs,
        offlineMs,
      }),
      storm.server.call('pace', { count: messages, intervalMs }),
    ]);
    return dropped;
  });
  // Those that were offline at the end come back once more.
  await storm.clients.call('allBack', { withinMs: 30_000 });
  await storm.clients.call('caughtUp', { messages, withinMs: 2_000 });
  const { received, repeated, unrecovered } = await storm.clients.call('tally');
  const latenciesMs = await storm.clients.call('latencies');
  return { ...cost, target, drops, received, repeated, unrecovered, latenciesMs };
}

/** The public *jitter* workload; see the README for what differs. */
export async function jitter(
  scale: JitterScale,
  progress: (text: string) => void,
): Promise<{ readonly table: Table; readonly rounds: readonly object[] }> {
  const { clients, messages, intervalMs } = scale;
  const results: Result[] = [];
  for (const target of ['holdfast', 'socket.io'] as const) {
    progress(`jitter: ${target}`);
    results.push(await measure(target, scale));
  }
  const table = {
    title: `Jitter: ${figure(clients)} clients whose connections keep dropping, ${messages} messages, one per ${intervalMs} ms`,
    columns: [
      'target',
      'drops',
      'expected',
      'lost',
      'delivered',
      'repeated',
      'latency p50 ms',
      'p95',
      'p99',
      'max',
      'server CPU s',
      'generator',
      'foreign',
    ],
    rows: results.map((result) => [
      result.target,
      figure(result.drops),
      figure(clients * messages),
      figure(clients * messages - result.received),
      percent(result.received, clients * messages),
      figure(result.repeated),
      ...[0.5, 0.95, 0.99, 1].map((share) => figure(percentile([...result.latenciesMs], share))),
      figure(result.serverCpuSeconds),
      `${Math.round(result.generatorShare * 100)} %`,
      `${Math.round(result.foreignShare * 100)} %`,
    ]),
  };
  return { table, rounds: results.map(summary) };
}

function summary({ latenciesMs, ...result }: Result): object {
  return { ...result, p50Ms: percentile([...latenciesMs], 0.5) };
}
