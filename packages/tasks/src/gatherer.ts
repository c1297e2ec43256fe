import { StoreError, type Clock, type Store } from '@holdfast/store';

/** Something that waits to be done, and can be told that it will not be. */
export interface Waiting {
  readonly reject: (error: unknown) => void;
}

export interface GathererOptions {
  readonly clock: Clock;
  readonly metrics: Store['metrics'];
  /** Items of one run. */
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
    const { clock, metrics } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      item.reject(new StoreError('store_busy', `${maxWaiting} operations on tasks are waiting`));
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
    const { clock, metrics, maxItems } = this.#options;
    const taken = this.#waiting.splice(0, maxItems);
    metrics.waiting -= taken.length;
    const now = clock.monotonic();
    return taken.flatMap(({ item, until }) => {
      if (until > now) return [item];
      const message = `an operation on a task waited ${maxWaitMs} ms for its turn`;
      item.reject(new StoreError('store_busy', message));
      return [];
    });
  }
}
