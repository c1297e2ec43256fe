/**
 * Does together what comes together: items that are added while a run is under way are the next run's.
 * Runs follow each other, so an item waits for one run at the most, and a lone one for none.
 */
export class Gatherer<Item> {
  readonly #run: (items: readonly Item[]) => Promise<void>;
  readonly #maxItems: number;
  #waiting: Item[] = [];
  #isRunning = false;

  /** @param run never rejects */
  constructor(run: (items: readonly Item[]) => Promise<void>, maxItems: number) {
    this.#run = run;
    this.#maxItems = maxItems;
  }

  /** Items that no run has taken yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // What comes in the same turn of the event loop belongs together.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#run(this.#waiting.splice(0, this.#maxItems));
    }
    this.#isRunning = false;
  }
}
