import type { Clock } from '../clock.ts';

interface Timer {
  readonly intervalMs: number;
  readonly callback: () => void;
  dueAt: number;
}

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  readonly #startedAt: number;
  readonly #timers = new Set<Timer>();
  #elapsed = 0;

  /** @param startedAt Unix milliseconds */
  constructor(startedAt = 1_700_000_000_000) {
    this.#startedAt = startedAt;
  }

  /** Timers that have not been stopped. */
  get timerCount(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#startedAt + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  every(intervalMs: number, callback: () => void): () => void {
    const timer: Timer = { intervalMs, callback, dueAt: this.#elapsed + intervalMs };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass, calling timers in the order in which they are due. */
  advance(ms: number): void {
    const until = this.#elapsed + ms;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) {
        if (timer.dueAt <= until && (!next || timer.dueAt < next.dueAt)) next = timer;
      }
      if (!next) break;
      this.#elapsed = next.dueAt;
      next.dueAt += next.intervalMs;
      next.callback();
    }
    this.#elapsed = until;
  }
}
