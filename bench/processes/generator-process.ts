/**
 * The process of one load generator: it holds the subscribers of one server under test, counts what
 * reaches them and stamps arrivals.
 *
 * @module
 */
import { serveCalls } from './calls.ts';
import { processUsage, type ProcessUsage } from './resource-usage.ts';
import {
  SubscriberPool,
  type OpenSettings,
  type PoolOpening,
} from '../subscribers/subscriber-pool.ts';
import { loadDialect } from '../targets/target.ts';

let pool: SubscriberPool | undefined;

function connected(): SubscriberPool {
  if (pool === undefined) throw new Error('connectTo comes first');
  return pool;
}

const methods = {
  async connectTo({ target, port }: { target: string; port: number }): Promise<void> {
    pool = new SubscriberPool(await loadDialect(target), port);
  },

  /** Adds subscribers; resolves when all of them are subscribed. */
  open(settings: OpenSettings): Promise<PoolOpening> {
    return connected().open(settings);
  },

  /** Forgets what was counted and how long it took. */
  reset(): void {
    connected().reset();
  },

  /** Resolves when every subscriber has had `messages` messages since the reset. */
  delivered({ messages }: { messages: number }): Promise<void> {
    return connected().delivered(messages);
  },

  /** Milliseconds from the server's stamp to arrival here, of the sampled subscribers. */
  latencies(): Float64Array {
    return connected().latencies();
  },

  closeAll(): Promise<void> {
    return connected().closeAll();
  },

  usage(): ProcessUsage {
    return processUsage();
  },
};

export type GeneratorMethods = typeof methods;

serveCalls(methods);
