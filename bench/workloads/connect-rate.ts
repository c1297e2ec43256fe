import { startAll, type MeasuredServer, type WindowCost } from '../processes/measured-server.ts';
import { figure, judge, type Aim, type Table } from '../report.ts';
import type { Scale } from '../scale.ts';
import { median, percentile, ratioPerRound } from '../statistics.ts';
import { baseline, subject, targetsOf, turnOrder, type Workload } from './workload.ts';

interface Storm extends WindowCost {
  readonly target: string;
  readonly round: number;
  readonly connectsPerSecond: number;
  readonly serverUsPerConnect: number;
  readonly connectMs: Float64Array;
}

interface Turn {
  readonly measured: MeasuredServer;
  readonly round: number;
  readonly scale: Scale;
}

async function storm({ measured, round, scale }: Turn): Promise<Storm> {
  const { connections, inFlight } = scale.connect;
  const { result, cost } = await measured.costOf(() =>
    measured.generator.call('open', { count: connections, inFlight }),
  );
  await measured.generator.call('closeAll');
  // The work of losing them belongs to nobody's storm.
  await measured.server.call('emptied');
  return {
    ...cost,
    target: measured.target,
    round,
    connectsPerSecond: connections / (result.elapsedMs / 1_000),
    serverUsPerConnect: cost.serverCpuUs / connections,
    connectMs: result.connectMs,
  };
}

function ofTarget(storms: readonly Storm[], target: string): readonly Storm[] {
  return storms.filter((storm) => storm.target === target);
}

function tableOf(storms: readonly Storm[]): Table {
  const targets = targetsOf(storms);
  const base = ofTarget(storms, baseline).map(({ connectsPerSecond }) => connectsPerSecond);
  return {
    title: 'Connect storm',
    columns: [
      'target',
      'connects/s',
      'from … to',
      `× ${baseline}`,
      'CPU µs/connect',
      'p50 ms',
      'p99 ms',
      'generator',
      'foreign',
    ],
    rows: targets.map((target) => {
      const own = ofTarget(storms, target);
      const rates = own.map(({ connectsPerSecond }) => connectsPerSecond);
      const connectMs = own.flatMap((storm) => [...storm.connectMs]);
      const percent = (shares: readonly number[]): string =>
        `${Math.round(median(shares) * 100)} %`;
      return [
        target,
        figure(median(rates)),
        `${figure(Math.min(...rates))} … ${figure(Math.max(...rates))}`,
        base.length === 0 ? '' : figure(median(ratioPerRound(rates, base))),
        figure(median(own.map(({ serverUsPerConnect }) => serverUsPerConnect))),
        figure(percentile(connectMs, 0.5)),
        figure(percentile(connectMs, 0.99)),
        percent(own.map(({ generatorShare }) => generatorShare)),
        percent(own.map(({ foreignShare }) => foreignShare)),
      ];
    }),
  };
}

function aimsOf(storms: readonly Storm[]): readonly Aim[] {
  const own = ofTarget(storms, subject);
  const base = ofTarget(storms, baseline);
  if (own.length === 0 || base.length === 0) return [];
  const settings = { bound: 0.5, direction: 'at least', unit: '×' } as const;
  return [
    judge(
      { ...settings, name: `connect + JWT + subscribe per second against ${baseline} accepts` },
      ratioPerRound(
        own.map(({ connectsPerSecond }) => connectsPerSecond),
        base.map(({ connectsPerSecond }) => connectsPerSecond),
      ),
    ),
    judge(
      { ...settings, name: 'the same by server CPU: connects per CPU second' },
      ratioPerRound(
        base.map(({ serverUsPerConnect }) => serverUsPerConnect),
        own.map(({ serverUsPerConnect }) => serverUsPerConnect),
      ),
    ),
  ];
}

function summary({ connectMs, ...storm }: Storm): object {
  return { ...storm, p50Ms: percentile(connectMs, 0.5), p99Ms: percentile(connectMs, 0.99) };
}

/** How fast strangers become subscribers when everybody comes at once. */
export const connectRate: Workload = {
  name: 'connect',
  async run({ scale, targets, progress }) {
    const { connections, rounds, inFlight } = scale.connect;
    await using all = await startAll(targets, { pingIntervalMs: 25_000 });
    const storms: Storm[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      for (const measured of turnOrder(all.servers, round)) {
        progress(
          `connect: ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}, ${measured.target}`,
        );
        const result = await storm({ measured, round, scale });
        if (round > 0) storms.push(result);
      }
    }
    return {
      name: 'connect',
      title: `Connects: ${connections} at once, ${inFlight} in flight`,
      notes: [
        `${baseline}: TCP connect and handshake. socket.io: the same, namespace connect and joining a room, no token. holdfast: the same, connect with an HS256 token of an own user each, and subscribe, in one frame. plain-ws+jwt: the least that answers that frame, with the token checked; what the hub costs is what holdfast takes beyond it.`,
        `Median of ${rounds} rounds after one that is not counted, each on a server that has lost all connections of the one before and collected its garbage; the targets take turns, ratios are taken per round. All clocks are the generator's; tokens are made before its clock starts.`,
        'Generator and server share the machine: where the generator is busy for nearly all of the window it holds the rate down, and server CPU per connect is the better comparison. Both have to reach the aim.',
      ],
      tables: [tableOf(storms)],
      aims: aimsOf(storms),
      rounds: storms.map(summary),
    };
  },
};
