/**
 * The process of the clients of one storm.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { serveCalls } from '../processes/calls.ts';
import { processUsage, type ProcessUsage } from '../processes/resource-usage.ts';
import { ageMs, StormClient } from './storm-client.ts';
import type { StormDialect } from './storm-dialect.ts';

/** Each source address has some 28,000 ports of its own. */
const sourceAddresses = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`);
/** A process may have 20,000 files open; the rest is for Node itself. */
const maxClients = 19_000;

const dialects: Readonly<Record<string, () => Promise<StormDialect>>> = {
  holdfast: async () => (await import('./holdfast-dialect.ts')).holdfastStormDialect,
  'socket.io': async () => (await import('./socket-io-dialect.ts')).socketIoStormDialect,
};

export interface Tally {
  readonly clients: number;
  readonly back: number;
  readonly received: number;
  readonly repeated: number;
  /** Clients that were told that they had missed something for good. */
  readonly unrecovered: number;
  readonly attempts: number;
  readonly failedAttempts: number;
}

let clients: StormClient[] = [];
let latenciesMs: number[] = [];
let backAtMs: Float64Array = new Float64Array(0);
let clockStartedAt = 0;
let drops = 0;

const methods = {
  async connect(settings: { target: string; port: number; count: number }): Promise<void> {
    if (settings.count > maxClients) throw new Error(`at most ${maxClients} clients per process`);
    const dialect = await (dialects[settings.target] as () => Promise<StormDialect>)();
    backAtMs = new Float64Array(settings.count).fill(Number.NaN);
    clients = Array.from(
      { length: settings.count },
      (_, index) =>
        new StormClient({
          port: settings.port,
          localAddress: sourceAddresses[index % sourceAddresses.length] ?? '127.0.0.2',
          dialect,
          token: dialect.token?.(index) ?? '',
          onBack: () => (backAtMs[index] = performance.now() - clockStartedAt),
          onMessage: (message) => {
            if (index % 10 === 0) latenciesMs.push(ageMs(message));
          },
        }),
    );
    // In batches: this is not the storm yet.
    for (let first = 0; first < clients.length; first += 200) {
      const batch = clients.slice(first, first + 200);
      for (const client of batch) client.open();
      while (batch.some(({ isBack }) => !isBack)) await delay(5);
    }
  },

  /** From here on times are counted. */
  startClock(): void {
    clockStartedAt = performance.now();
    backAtMs.fill(Number.NaN);
    latenciesMs = [];
  },

  /** Resolves when every client is back and has had `messages` messages, or after the time. */
  async caughtUp({ messages, withinMs }: { messages: number; withinMs: number }): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline) {
      if (clients.every(({ isBack, received }) => isBack && received >= messages)) return true;
      await delay(20);
    }
    return false;
  },

  /** As {@link caughtUp}, for clients that cannot catch up. */
  async allBack({ withinMs }: { withinMs: number }): Promise<boolean> {
    return methods.caughtUp({ messages: 0, withinMs });
  },

  /**
   * Cuts each client's connection now and then, and keeps it offline for `offlineMs`: for the first
   * time after a third to four thirds of `everyMs`, then one to four thirds of it after it came back.
   */
  async jitter({
    durationMs,
    everyMs,
    offlineMs,
  }: {
    durationMs: number;
    everyMs: number;
    offlineMs: number;
  }): Promise<number> {
    drops = 0;
    const endAt = performance.now() + durationMs;
    const next = clients.map(() => performance.now() + everyMs / 3 + Math.random() * everyMs);
    while (performance.now() < endAt) {
      const now = performance.now();
      for (const [index, client] of clients.entries()) {
        if (now < (next[index] ?? 0)) continue;
        if (client.drop(offlineMs)) drops += 1;
        next[index] = now + offlineMs + everyMs + (Math.random() * everyMs) / 3;
      }
      await delay(50);
    }
    return drops;
  },

  /** When each client was back, in milliseconds since the clock was started; NaN for never. */
  backTimes(): Float64Array {
    return backAtMs;
  },

  latencies(): Float64Array {
    return Float64Array.from(latenciesMs);
  },

  tally(): Tally {
    const sum = (of: (client: StormClient) => number): number =>
      clients.reduce((total, client) => total + of(client), 0);
    return {
      clients: clients.length,
      back: sum(({ isBack }) => (isBack ? 1 : 0)),
      received: sum(({ received }) => received),
      repeated: sum(({ repeated }) => repeated),
      unrecovered: sum(({ unrecovered }) => unrecovered),
      attempts: sum(({ attempts }) => attempts),
      failedAttempts: sum(({ failedAttempts }) => failedAttempts),
    };
  },

  stop(): void {
    for (const client of clients) client.stop();
  },

  usage(): ProcessUsage {
    return processUsage();
  },
};

export type StormGeneratorMethods = typeof methods;

serveCalls(methods);
