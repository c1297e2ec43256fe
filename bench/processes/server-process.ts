/**
 * The process of one server under test. It publishes to its own subscribers when told to, stamps
 * each message just before, and reports what it used.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { serveCalls } from './calls.ts';
import { processUsage, settleGarbage, type ProcessUsage } from './resource-usage.ts';
import { loadServer, type RunningServer, type ServerSettings } from '../targets/target.ts';
import { benchMessage } from '../targets/bench-message.ts';

let server: RunningServer | undefined;
let published = 0;

function running(): RunningServer {
  if (server === undefined) throw new Error('start comes first');
  return server;
}

const methods = {
  /** Starts the target on a free loopback port and returns the port. */
  async start({ target, ...settings }: ServerSettings & { target: string }): Promise<number> {
    const start = await loadServer(target);
    server = await start(settings);
    return server.port;
  },

  /** Publishes `messages` messages within one turn of the event loop. */
  async publish({ messages, bytes }: { messages: number; bytes: number }): Promise<void> {
    const batch = Array.from({ length: messages }, () => {
      published += 1;
      return benchMessage(published, bytes);
    });
    await running().publish(batch);
  },

  usage(): ProcessUsage {
    return processUsage();
  },

  /** Resolves when the last connection is gone, with everything that it left behind. */
  async emptied(): Promise<void> {
    while ((await running().connections()) > 0) await delay(20);
    await settleGarbage();
  },

  async settledUsage(): Promise<ProcessUsage> {
    await settleGarbage();
    return processUsage();
  },
};

export type ServerMethods = typeof methods;

serveCalls(methods);
