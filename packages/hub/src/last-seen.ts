import type { Clock } from './clock.ts';

export interface LastSeenLimits {
  readonly lastSeenTtlMs: number;
  readonly lastSeenMaxUsers: number;
}

/**
 * When users that are not here any more left this node. Bounded in time and number: the oldest are
 * forgotten first. In memory, so it begins anew with the process.
 */
export class LastSeen {
  readonly #limits: LastSeenLimits;
  readonly #clock: Clock;
  /** Unix milliseconds by user, in the order of time: who leaves is moved to the end. */
  readonly #leftAt = new Map<string, number>();

  constructor(limits: LastSeenLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#leftAt.size;
  }

  /** A user's last connection to this node ended. */
  left(user: string): void {
    const now = this.#clock.now();
    this.#leftAt.delete(user);
    this.#leftAt.set(user, now);
    for (const [oldest, leftAt] of this.#leftAt) {
      const isOver = this.#leftAt.size > this.#limits.lastSeenMaxUsers;
      if (!isOver && !this.#isForgotten(leftAt, now)) break;
      this.#leftAt.delete(oldest);
    }
  }

  /** Unix milliseconds; undefined when nothing is known. */
  of(user: string): number | undefined {
    const leftAt = this.#leftAt.get(user);
    return leftAt === undefined || this.#isForgotten(leftAt, this.#clock.now())
      ? undefined
      : leftAt;
  }

  #isForgotten(leftAt: number, now: number): boolean {
    return now - leftAt >= this.#limits.lastSeenTtlMs;
  }
}
