import type { Clock } from './clock.ts';
import { StoreError } from './errors.ts';
import type { StoreMetrics } from './metrics.ts';

/** Something that waits to be done, and can be told that it will not be. */
export interface Waiting {
  /** As how many items it counts. @defaultValue 1 */
  readonly weight?: number;
  readonly reject: (error: unknown) => void;
}

/** What is gathered, and how much of it at a time. */
export interface GathererOptions {
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
  /** What the items are, in the plural, for messages: `operations on tasks`. */
  readonly items: string;
  /** Items of one run, each counted with its weight; one that weighs more has a run for itself. */
  readonly maxItems: number;
}

const maxWaiting = 10_000;
const maxWaitMs = 5000;

/**
 * Does together what comes together: items that are added while a run is under way are the next run's.
 * Runs follow each other, so an item waits for one run as a rule, and a lone one for none. The wait is
 * bounded in number and time; beyond it an item is refused with `store_busy`.
 */
export class Gatherer<Item extends Waiting> {
  readonly #run: (items: readonly Item[]) => Promise<void>;
  readonly #options: GathererOptions;
  readonly #waiting: { readonly item: Item; readonly until: number }[] = [];
  #isRunning = false;

  /** @param run never rejects */
  constructor(run: (items: readonly Item[]) => Promise<void>, options: GathererOptions) {
    this.#run = run;
    this.#options = options;
  }

  add(item: Item): void {
    const { clock, metrics, items } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      item.reject(new StoreError('store_busy', `${maxWaiting} ${items} are waiting`));
      return;
    }
    this.#waiting.push({ item, until: clock.monotonic() + maxWaitMs });
    metrics.waiting += 1;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // What comes in the same turn of the event loop belongs together.
      await new Promise((resolve) => setImmediate(resolve));
      const items = this.#take();
      if (items.length > 0) await this.#run(items);
    }
    this.#isRunning = false;
  }

  #take(): readonly Item[] {
    const { clock, metrics, items } = this.#options;
    const taken = this.#waiting.splice(0, this.#countNext());
    metrics.waiting -= taken.length;
    const now = clock.monotonic();
    return taken.flatMap(({ item, until }) => {
      if (until > now) return [item];
      const message = `it waited ${maxWaitMs} ms for its turn behind other ${items}`;
      item.reject(new StoreError('store_busy', message));
      return [];
    });
  }

  #countNext(): number {
    let count = 0;
    let weight = 0;
    for (const { item } of this.#waiting) {
      weight += item.weight ?? 1;
      if (count > 0 && weight > this.#options.maxItems) break;
      count += 1;
    }
    return count;
  }
}

/**
 * Whether a shared transaction's failure is one of each item in it, so that none is tried on its own:
 * a database that is away, full or too slow is so for all of them, and what may exist is not repeated.
 */
export function concernsEverybody(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    error.retryable &&
    error.code !== 'store_conflict' &&
    error.code !== 'store_locked'
  );
}
