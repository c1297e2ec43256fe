/** How fast something may happen: `burst` at once, and `perSecond` over time. */
export interface Rate {
  readonly intervalMs: number;
  /** How long an empty bucket takes to fill, and half a token more against rounding. */
  readonly capacityMs: number;
}

/** Undefined for 0, which stands for no limit. A burst below one token could never pass anything. */
export function createRate(perSecond: number, burst: number): Rate | undefined {
  if (perSecond <= 0) return undefined;
  const intervalMs = 1000 / perSecond;
  return { intervalMs, capacityMs: (Math.max(1, burst) + 0.5) * intervalMs };
}

/**
 * A token bucket as the moment at which it will be full again: one number, no timer, nothing to
 * allocate when a token is taken. Times are `Clock.monotonic` milliseconds.
 */
export class TokenBucket {
  #fullAt = -Infinity;

  /** Takes a token; false, and nothing taken, when there is none. */
  take({ intervalMs, capacityMs }: Rate, now: number): boolean {
    const fullAt = Math.max(now, this.#fullAt) + intervalMs;
    if (fullAt - now > capacityMs) return false;
    this.#fullAt = fullAt;
    return true;
  }

  /** How long until a token can be taken; 0 when one can. */
  waitMs({ intervalMs, capacityMs }: Rate, now: number): number {
    return Math.max(0, this.#fullAt + intervalMs - capacityMs - now);
  }

  /** Whether it is as good as new. */
  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }
}
