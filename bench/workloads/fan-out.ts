import { setTimeout as delay } from 'node:timers/promises';
import { startAll, type MeasuredServer, type WindowCost } from '../processes/measured-server.ts';
import { figure, judge, type Aim, type Table } from '../report.ts';
import type { Scale } from '../scale.ts';
import { median, percentile, ratioPerRound } from '../statistics.ts';
import { baseline, subject, targetsOf, turnOrder, type Workload } from './workload.ts';

const variants = [
  { name: 'single', messagesPerTick: 1 },
  { name: 'coalesced', messagesPerTick: 8 },
] as const;

type Variant = (typeof variants)[number];

interface Window extends WindowCost {
  readonly target: string;
  readonly variant: Variant['name'];
  readonly round: number;
  readonly usPerDelivery: number;
  readonly deliveriesPerSecond: number;
  readonly latenciesMs: Float64Array;
}

/**
 * One channel, all subscribers, one broadcast after the other: a tick begins when everyone has what
 * the one before sent, and not sooner than the interval. So no server is driven into overload, and
 * CPU per delivery is that of a broadcast on an otherwise idle server.
 */
async function tick(
  { server, generator }: MeasuredServer,
  { messagesPerTick }: Variant,
  { fanOut }: Scale,
): Promise<void> {
  await generator.call('reset');
  let messages = 0;
  for (let index = 0; index < fanOut.ticks; index += 1) {
    const started = performance.now();
    messages += messagesPerTick;
    await server.call('publish', { messages: messagesPerTick, bytes: fanOut.messageBytes });
    await generator.call('delivered', { messages });
    await delay(Math.max(0, started + fanOut.tickIntervalMs - performance.now()));
  }
}

interface Turn {
  readonly measured: MeasuredServer;
  readonly variant: Variant;
  readonly round: number;
  readonly scale: Scale;
}

async function measure({ measured, variant, round, scale }: Turn): Promise<Window> {
  const { cost } = await measured.costOf(() => tick(measured, variant, scale));
  const deliveries = scale.fanOut.ticks * variant.messagesPerTick * scale.fanOut.subscribers;
  const usPerDelivery = cost.serverCpuUs / deliveries;
  return {
    ...cost,
    target: measured.target,
    variant: variant.name,
    round,
    usPerDelivery,
    deliveriesPerSecond: 1e6 / usPerDelivery,
    latenciesMs: await measured.generator.call('latencies'),
  };
}

function figuresOf(windows: readonly Window[], target: string, variant: string): number[] {
  return windows
    .filter((window) => window.target === target && window.variant === variant)
    .map(({ usPerDelivery }) => usPerDelivery);
}

function tableOf(windows: readonly Window[], { name, messagesPerTick }: Variant): Table {
  const targets = targetsOf(windows);
  const base = figuresOf(windows, baseline, name);
  return {
    title: `${messagesPerTick} message${messagesPerTick === 1 ? '' : 's'} per tick`,
    columns: [
      'target',
      'CPU µs/delivery',
      'from … to',
      `× ${baseline}`,
      'per s and core',
      'p50 ms',
      'p99 ms',
      'max ms',
      'generator',
      'foreign',
    ],
    rows: targets.map((target) => {
      const own = windows.filter((window) => window.target === target && window.variant === name);
      const cpu = figuresOf(windows, target, name);
      const latencies = own.flatMap(({ latenciesMs }) => [...latenciesMs]);
      return [
        target,
        figure(median(cpu)),
        `${figure(Math.min(...cpu))} … ${figure(Math.max(...cpu))}`,
        base.length === 0 ? '' : figure(median(ratioPerRound(cpu, base))),
        figure(1e6 / median(cpu)),
        figure(percentile(latencies, 0.5)),
        figure(percentile(latencies, 0.99)),
        figure(percentile(latencies, 1)),
        percent(median(own.map(({ generatorShare }) => generatorShare))),
        percent(median(own.map(({ foreignShare }) => foreignShare))),
      ];
    }),
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function aimsOf(windows: readonly Window[]): readonly Aim[] {
  const single = figuresOf(windows, subject, 'single');
  if (single.length === 0) return [];
  const coalesced = figuresOf(windows, subject, 'coalesced');
  const base = figuresOf(windows, baseline, 'single');
  const aims = [
    judge(
      {
        name: 'fan-out, 8 per tick: CPU per delivery against own single',
        bound: 0.25,
        direction: 'at most',
        unit: '×',
      },
      ratioPerRound(coalesced, single),
    ),
  ];
  if (base.length > 0) {
    aims.unshift(
      judge(
        {
          name: `fan-out, 1 per tick: CPU per delivery against ${baseline}`,
          bound: 1.15,
          direction: 'at most',
          unit: '×',
        },
        ratioPerRound(single, base),
      ),
    );
  }
  return aims;
}

function summary({ latenciesMs, ...window }: Window): object {
  return { ...window, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) };
}

/** What one delivery costs a server, alone and eight at a time. */
export const fanOut: Workload = {
  name: 'fan-out',
  async run({ scale, targets, progress }) {
    const { subscribers, messageBytes, rounds, ticks, tickIntervalMs } = scale.fanOut;
    await using all = await startAll(targets, { pingIntervalMs: 0 });
    for (const { target, generator } of all.servers) {
      progress(`fan-out: ${target}, ${subscribers} subscribers connect`);
      await generator.call('open', { count: subscribers, inFlight: 128 });
    }
    const windows: Window[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      for (const measured of turnOrder(all.servers, round)) {
        for (const variant of variants) {
          const stage = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`;
          progress(`fan-out: ${stage}, ${measured.target}, ${variant.name}`);
          const window = await measure({ measured, variant, round, scale });
          if (round > 0) windows.push(window);
        }
      }
    }
    return {
      name: 'fan-out',
      title: `Fan-out to ${subscribers} subscribers, ${messageBytes}-byte messages`,
      notes: [
        `Median of ${rounds} rounds of ${ticks} ticks, after one round that is not counted; the targets take turns within each round, and ratios are taken per round.`,
        `A tick starts when the one before has reached everyone, ${tickIntervalMs} ms after it at the soonest: latency is that of one broadcast on a server that is otherwise idle.`,
        'CPU is user + system time of the server process, as it reports itself before and after each window.',
        'Latency: stamped by the server process just before it publishes, and by the generator process on arrival, both with CLOCK_MONOTONIC; every tenth subscriber is sampled, percentiles are of the merged raw samples of all rounds.',
        'Every subscriber has to receive every message; on the sampled ones the order is checked too.',
      ],
      tables: variants.map((variant) => tableOf(windows, variant)),
      aims: aimsOf(windows),
      rounds: windows.map(summary),
    };
  },
};
