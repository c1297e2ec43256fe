import type { Clock } from './clock.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import type { Logger } from './hub.ts';
import type { HubMetrics } from './metrics.ts';
import type { AdmissionOptions } from './client-options.ts';

/**
 * Connections that may be between their upgrade and the end of their handshake, as a multiple of
 * those whose handshake is carried out: so many are on the way to their connect command.
 */
const onTheWay = 2;
/** Who says nothing for this long after its upgrade keeps nobody else at the door. */
const longestSilenceMs = 1_000;

export interface AdmissionSettings {
  readonly options: AdmissionOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: HubMetrics;
  /** In [0, 1). */
  readonly random: () => number;
}

/** The two queues that clients pass on their way in; see `handshake-queue.spec.md`. */
export interface Admission {
  /** Upgrades that are to be answered. */
  readonly door: HandshakeQueue;
  /** Connect commands that are to be carried out. */
  readonly handshakes: HandshakeQueue;
}

export function createAdmission({ metrics, options, ...common }: AdmissionSettings): Admission {
  let atTheDoor = 0;
  let inside = 0;
  const count = (): void => {
    metrics.handshakesWaiting = atTheDoor + inside;
  };
  return {
    door: new HandshakeQueue({
      ...common,
      options: { ...options, concurrency: onTheWay * options.concurrency, rate: 0 },
      longestTurnMs: longestSilenceMs,
      onTurn: (waitedMs) => {
        if (waitedMs > 0) metrics.handshakeWait.observe(waitedMs);
      },
      onChange: (_, waiting) => {
        atTheDoor = waiting;
        count();
      },
    }),
    handshakes: new HandshakeQueue({
      ...common,
      options,
      onTurn: (waitedMs) => metrics.handshakeWait.observe(waitedMs),
      onRefused: () => metrics.refusedHandshakes.add('handshake_queue'),
      onChange: (running, waiting) => {
        metrics.handshakesUnderWay = running;
        inside = waiting;
        count();
      },
    }),
  };
}
