/** Counts what somebody used of a limit, and gets it back with time. */
export interface Meter {
  /** Whether it is as good as new. Times are `Clock.monotonic` milliseconds. */
  isFull(now: number): boolean;
}

const leastSweepSize = 1_024;

/**
 * What each user used of a limit. Outlives connections, so that coming back wins nothing. A meter that
 * is full again is forgotten, so there are no more than twice those of users who did something in the
 * time that a limit takes to fill, and 1,024.
 */
export class UserMeters<Kind extends Meter> {
  readonly #create: () => Kind;
  readonly #meters = new Map<string, Kind>();
  #sweepSize = leastSweepSize;

  constructor(create: () => Kind) {
    this.#create = create;
  }

  /** The meter of a user, from which something is taken now. */
  of(user: string, now: number): Kind {
    let meter = this.#meters.get(user);
    if (meter === undefined) {
      if (this.#meters.size >= this.#sweepSize) this.#sweep(now);
      meter = this.#create();
      this.#meters.set(user, meter);
    }
    return meter;
  }

  /** Users who are remembered. */
  get size(): number {
    return this.#meters.size;
  }

  #sweep(now: number): void {
    for (const [user, meter] of this.#meters) {
      if (meter.isFull(now)) this.#meters.delete(user);
    }
    this.#sweepSize = Math.max(leastSweepSize, 2 * this.#meters.size);
  }
}
