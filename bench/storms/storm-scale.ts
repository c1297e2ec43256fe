import type { AvalancheScale } from './avalanche.ts';
import type { JitterScale } from './jitter.ts';
import type { ReconnectScale } from './reconnect.ts';

/** How big and how long the storms are. */
export interface StormScale {
  readonly reconnect: ReconnectScale;
  readonly jitter: JitterScale;
  readonly avalanche: AvalancheScale;
}

export const fullStorms: StormScale = {
  reconnect: { clients: 10_000, missed: 50, rounds: 3 },
  jitter: { clients: 10_000, messages: 120, intervalMs: 500, everyMs: 15_000, offlineMs: 2_000 },
  avalanche: { clients: 5_000, missed: 10, downMs: 2_000, recoveryMs: 60_000 },
};

export const quickStorms: StormScale = {
  reconnect: { clients: 2_000, missed: 50, rounds: 1 },
  jitter: { clients: 1_000, messages: 60, intervalMs: 500, everyMs: 15_000, offlineMs: 2_000 },
  avalanche: { clients: 1_000, missed: 10, downMs: 1_000, recoveryMs: 60_000 },
};

/** Only shows that everything runs; its figures mean nothing. */
export const smokeStorms: StormScale = {
  reconnect: { clients: 40, missed: 5, rounds: 1 },
  jitter: { clients: 40, messages: 20, intervalMs: 100, everyMs: 800, offlineMs: 200 },
  avalanche: { clients: 40, missed: 5, downMs: 100, recoveryMs: 30_000 },
};
