/**
 * The process of one server in a storm.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { serveCalls } from '../processes/calls.ts';
import { processUsage, settleGarbage, type ProcessUsage } from '../processes/resource-usage.ts';
import { benchMessage } from '../targets/bench-message.ts';
import type { StormServer, StormServerSettings, StormStats } from './storm-server.ts';

const servers: Readonly<Record<string, (settings: StormServerSettings) => Promise<StormServer>>> = {
  holdfast: async (settings) => (await import('./holdfast-server.ts')).startHoldfast(settings),
  'socket.io': async () => (await import('./socket-io-server.ts')).startSocketIo(),
};

let server: StormServer;
let published = 0;

async function publish(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    published += 1;
    await server.publish(benchMessage(published, 200));
  }
}

const methods = {
  async start({ target, ...settings }: StormServerSettings & { target: string }): Promise<number> {
    server = await (servers[target] as (typeof servers)[string])(settings);
    return server.port;
  },

  publish: ({ count }: { count: number }) => publish(count),

  /** Publishes at a steady pace. */
  async pace({ count, intervalMs }: { count: number; intervalMs: number }): Promise<void> {
    const startedAt = performance.now();
    for (let index = 0; index < count; index += 1) {
      await delay(Math.max(0, startedAt + index * intervalMs - performance.now()));
      await publish(1);
    }
  },

  /** Ends all connections at once, stays down for a while in which `missed` are published, and comes back. */
  async restart({ missed, downMs }: { missed: number; downMs: number }): Promise<void> {
    const startedAt = performance.now();
    await server.goDown();
    await publish(missed);
    await delay(Math.max(0, startedAt + downMs - performance.now()));
    // Sets the peak (VmHWM) back to what it is now: proc(5), clear_refs.
    writeFileSync('/proc/self/clear_refs', '5');
    await server.comeUp();
  },

  /** Leaves nothing behind that is not the clients'. */
  settle: () => settleGarbage(),

  /** Highest resident memory since the restart. */
  peakRssBytes(): number {
    const [, kilobytes = '0'] =
      /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return Number(kilobytes) * 1_024;
  },

  stats(): StormStats {
    return server.stats();
  },

  usage(): ProcessUsage {
    return processUsage();
  },
};

export type StormServerMethods = typeof methods;

serveCalls(methods);
