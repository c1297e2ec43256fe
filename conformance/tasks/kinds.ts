import type { KindOptions } from '@holdfast/tasks';

/** How long a dead worker keeps a task in these tests. */
export const leaseMs = 1500;

const quick: KindOptions = { leaseMs, heartbeatMs: 300, backoff: { baseMs: 1 } };
/** For tests in which a busy machine must not look like a dead worker. */
const calm: KindOptions = { leaseMs: 60_000, heartbeatMs: 300 };

/** Known to all processes of these tests. */
export const kinds: Readonly<Record<string, KindOptions>> = {
  hold: quick,
  echo: calm,
  leaf: calm,
  block: quick,
  flood: { ...quick, maxOutputBytes: 100_000 },
  parent: quick,
  once: { ...quick, attempts: 1 },
  calm: { leaseMs: 15_000, heartbeatMs: 300 },
  joined: { ...calm, key: () => 'the only one' },
  /** Its first heartbeat never comes before its end. */
  mute: { leaseMs, heartbeatMs: leaseMs - 1, backoff: { baseMs: 1 } },
  brink: { leaseMs, heartbeatMs: leaseMs - 1, backoff: { baseMs: 1 } },
  /** Outlives a database that is away for a moment. */
  steady: { leaseMs: 60_000, heartbeatMs: 300 },
};
