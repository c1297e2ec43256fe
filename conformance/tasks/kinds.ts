import type { KindOptions } from '@holdfast/tasks';

/** How long a dead worker keeps a task in these tests. */
export const leaseMs = 1500;

const quick: KindOptions = { leaseMs, heartbeatMs: 300, backoff: { baseMs: 1 } };

/** Known to all processes of these tests. */
export const kinds: Readonly<Record<string, KindOptions>> = {
  hold: quick,
  echo: quick,
  leaf: quick,
  parent: quick,
  /** Its first heartbeat never comes before its end. */
  mute: { leaseMs, heartbeatMs: leaseMs - 1, backoff: { baseMs: 1 } },
};
