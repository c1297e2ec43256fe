import { after, type Clock } from './clock.ts';
import { StoreError } from './errors.ts';
import type { StoreMetrics } from './metrics.ts';

export interface TurnstileOptions {
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
  /** How many may be inside at the same time. */
  readonly slots: number;
  /** How many may wait outside; one more is refused with `store_busy`. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

interface Waiter {
  readonly enter: () => void;
  readonly refuse: (error: StoreError) => void;
}

/** Lets a fixed number of operations run at a time, first come first served, with bounded waiting. */
export class Turnstile {
  readonly #options: TurnstileOptions;
  readonly #waiters = new Set<Waiter>();
  readonly #onIdle: (() => void)[] = [];
  #inside = 0;
  #isClosed = false;

  constructor(options: TurnstileOptions) {
    this.#options = options;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Refuses newcomers, lets those who wait or are inside finish. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#inside > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #enter(): Promise<void> {
    const { clock, metrics, slots, maxWaiting, maxWaitMs } = this.#options;
    if (this.#isClosed)
      return Promise.reject(new StoreError('store_closed', 'the store is closed'));
    if (this.#inside < slots) {
      this.#inside += 1;
      return Promise.resolve();
    }
    if (this.#waiters.size >= maxWaiting) {
      return Promise.reject(
        new StoreError('store_busy', `${maxWaiting} operations are waiting for a connection`),
      );
    }
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        stop();
        this.#waiters.delete(waiter);
        metrics.waiting -= 1;
      };
      const waiter: Waiter = {
        enter: () => {
          forget();
          resolve();
        },
        refuse: (error) => {
          forget();
          reject(error);
        },
      };
      const stop = after(clock, maxWaitMs, () => {
        waiter.refuse(
          new StoreError('store_busy', `no connection became free within ${maxWaitMs} ms`),
        );
      });
      this.#waiters.add(waiter);
      metrics.waiting += 1;
    });
  }

  #leave(): void {
    // The slot passes to the first in line without becoming free in between.
    for (const next of this.#waiters) {
      next.enter();
      return;
    }
    this.#inside -= 1;
    if (this.#inside === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}
