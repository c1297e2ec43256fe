import { figure, type Table } from '../report.ts';
import { percentile } from '../statistics.ts';
import { percent, Storm, type StormCost, type StormSettings } from './storm.ts';

export interface AvalancheScale {
  readonly clients: number;
  /** Published while the server is down. */
  readonly missed: number;
  readonly downMs: number;
  /** Who is not back by then never came back. */
  readonly recoveryMs: number;
}

interface Result extends StormCost {
  readonly target: string;
  readonly back: number;
  readonly backMs: readonly number[];
  readonly received: number;
  readonly repeated: number;
}

/** A deployment: every connection ends at once, and the server is away for a while. */
async function measure(target: StormSettings['target'], scale: AvalancheScale): Promise<Result> {
  const { clients, missed, downMs, recoveryMs } = scale;
  await using storm = await Storm.begin({ target, clients });
  await storm.server.call('settle');
  await storm.clients.call('startClock');
  const { cost } = await storm.costOf(async () => {
    await storm.server.call('restart', { missed, downMs });
    await storm.clients.call('allBack', { withinMs: recoveryMs });
  });
  const times = [...(await storm.clients.call('backTimes'))];
  const { back, received, repeated } = await storm.clients.call('tally');
  return {
    ...cost,
    target,
    back,
    backMs: times.filter((time) => !Number.isNaN(time)),
    received,
    repeated,
  };
}

/** The public *avalanche* workload; see the README for what differs. */
export async function avalanche(
  scale: AvalancheScale,
  progress: (text: string) => void,
): Promise<{ readonly table: Table; readonly rounds: readonly object[] }> {
  const { clients, missed, downMs } = scale;
  const results: Result[] = [];
  for (const target of ['holdfast', 'socket.io'] as const) {
    progress(`avalanche: ${target}`);
    results.push(await measure(target, scale));
  }
  const table = {
    title: `Avalanche: ${figure(clients)} clients cut at once, the server away for ${downMs} ms, ${missed} messages meanwhile`,
    columns: [
      'target',
      'back p50 s',
      'p95',
      'p99',
      'max',
      'never back',
      'missed and delivered',
      'repeated',
      'server CPU s',
      'generator',
      'foreign',
    ],
    rows: results.map((result) => [
      result.target,
      ...[0.5, 0.95, 0.99, 1].map((share) => figure(percentile(result.backMs, share) / 1_000)),
      `${figure(clients - result.back)} (${percent(clients - result.back, clients)})`,
      percent(result.received, clients * missed),
      figure(result.repeated),
      figure(result.serverCpuSeconds),
      `${Math.round(result.generatorShare * 100)} %`,
      `${Math.round(result.foreignShare * 100)} %`,
    ]),
  };
  return { table, rounds: results.map(summary) };
}

function summary({ backMs, ...result }: Result): object {
  return { ...result, p50Ms: percentile(backMs, 0.5) };
}
