import { figure, type Table } from '../report.ts';
import { median, percentile } from '../statistics.ts';
import { percent, Storm, type StormCost } from './storm.ts';

export interface ReconnectScale {
  readonly clients: number;
  /** Published while the server is down. */
  readonly missed: number;
  readonly rounds: number;
}

interface Round extends StormCost {
  readonly hasAdmission: boolean;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly allMs: number;
  readonly peakRssBytes: number;
  readonly growthBytes: number;
  readonly brokerReads: number;
  readonly attempts: number;
  readonly failedAttempts: number;
  readonly refused: number;
  readonly received: number;
  readonly repeated: number;
  readonly unrecovered: number;
}

/**
 * A restart: all connections end at once, so many messages are published while nobody is there, and
 * the server is back before the first client tries again. Everybody comes within the half second over
 * which stock clients spread their first attempt.
 */
async function measure({ clients, missed }: ReconnectScale, hasAdmission: boolean): Promise<Round> {
  await using storm = await Storm.begin({ target: 'holdfast', clients, hasAdmission });
  const before = await storm.clients.call('tally');
  await storm.server.call('settle');
  const { rssBytes } = await storm.server.call('usage');
  await storm.clients.call('startClock');
  const { result, cost } = await storm.costOf(async () => {
    await storm.server.call('restart', { missed, downMs: 0 });
    return storm.clients.call('caughtUp', { messages: missed, withinMs: 120_000 });
  });
  if (!result) throw new Error('not everybody was back and caught up within two minutes');
  const backMs = [...(await storm.clients.call('backTimes'))];
  const tally = await storm.clients.call('tally');
  const { brokerReads, refused } = await storm.server.call('stats');
  const peakRssBytes = await storm.server.call('peakRssBytes');
  return {
    ...cost,
    hasAdmission,
    p50Ms: percentile(backMs, 0.5),
    p99Ms: percentile(backMs, 0.99),
    allMs: Math.max(...backMs),
    peakRssBytes,
    growthBytes: peakRssBytes - rssBytes,
    brokerReads,
    attempts: tally.attempts - before.attempts,
    failedAttempts: tally.failedAttempts - before.failedAttempts,
    refused,
    received: tally.received,
    repeated: tally.repeated,
    unrecovered: tally.unrecovered,
  };
}

/** Everybody comes back after a restart and recovers, with admission control and without. */
export async function reconnect(
  scale: ReconnectScale,
  progress: (text: string) => void,
): Promise<{ readonly table: Table; readonly rounds: readonly Round[] }> {
  const rounds: Round[] = [];
  for (let round = 0; round < scale.rounds; round += 1) {
    for (const hasAdmission of round % 2 === 0 ? [true, false] : [false, true]) {
      progress(`reconnect: round ${round + 1}, admission ${hasAdmission ? 'on' : 'off'}`);
      rounds.push(await measure(scale, hasAdmission));
    }
  }
  const table = {
    title: `${figure(scale.clients)} clients come back after a restart and recover ${scale.missed} messages each`,
    columns: [
      'admission',
      'p50 s',
      'p99 s',
      'all s',
      'peak RSS MB',
      'over before, MB',
      'broker reads',
      'attempts',
      'refused',
      'delivered',
      'repeated',
      'not recovered',
      'server CPU s',
      'foreign',
    ],
    rows: [true, false].map((hasAdmission) => {
      const own = rounds.filter((round) => round.hasAdmission === hasAdmission);
      const of = (read: (round: Round) => number): number => median(own.map(read));
      const expected = scale.clients * scale.missed;
      return [
        hasAdmission ? 'on' : 'off',
        figure(of(({ p50Ms }) => p50Ms) / 1_000),
        figure(of(({ p99Ms }) => p99Ms) / 1_000),
        figure(of(({ allMs }) => allMs) / 1_000),
        figure(of(({ peakRssBytes }) => peakRssBytes) / 1e6),
        figure(of(({ growthBytes }) => growthBytes) / 1e6),
        figure(of(({ brokerReads }) => brokerReads)),
        figure(of(({ attempts }) => attempts)),
        figure(of(({ refused }) => refused)),
        percent(
          of(({ received }) => received),
          expected,
        ),
        figure(of(({ repeated }) => repeated)),
        figure(of(({ unrecovered }) => unrecovered)),
        figure(of(({ serverCpuSeconds }) => serverCpuSeconds)),
        `${Math.round(of(({ foreignShare }) => foreignShare) * 100)} %`,
      ];
    }),
  };
  return { table, rounds };
}
