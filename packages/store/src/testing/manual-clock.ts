import type { Clock } from '../clock.ts';

/**
 * Options of a store whose deadlines are not what is tested. A busy machine has hundreds of transactions
 * wait for longer than a server would let them; and a {@link ManualClock}, which a test moves on by
 * seconds at a glance, would find any database too slow.
 */
export const unhurried = {
  transactionTimeoutMs: 2_000_000_000,
  maxWaitMs: 2_000_000_000,
  postgres: { leaderTimeoutMs: 0 },
} as const;

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly #timers = new Set<{ dueAt: number; intervalMs: number; callback: () => void }>();

  /** @param now Unix milliseconds to start at */
  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  every(intervalMs: number, callback: () => void): () => void {
    const timer = { dueAt: this.#monotonic + intervalMs, intervalMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves both clocks on and runs the timers that become due, in their order. */
  advance(durationMs: number): void {
    const end = this.#monotonic + durationMs;
    for (;;) {
      let next: { dueAt: number; intervalMs: number; callback: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.dueAt <= end && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
      }
      if (next === undefined) break;
      this.#now += next.dueAt - this.#monotonic;
      this.#monotonic = next.dueAt;
      next.dueAt += next.intervalMs;
      next.callback();
    }
    this.#now += end - this.#monotonic;
    this.#monotonic = end;
  }

  /** Sets the wall clock, as an operator or NTP does; timers and deadlines do not notice. */
  set(now: number): void {
    this.#now = now;
  }
}
