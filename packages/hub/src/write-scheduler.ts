/** Something with messages to write. */
export interface Flushable {
  flush(): void;
}

/**
 * Collects everything that has something to send and flushes each once, at the end of the tick: all
 * messages a session got meanwhile leave in one write.
 */
export class WriteScheduler {
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];

  /** The caller makes sure that it is added once per flush. */
  add(flushable: Flushable): void {
    if (this.#dirty.push(flushable) === 1) setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const batch = this.#dirty;
    this.#dirty = this.#spare;
    for (const flushable of batch) flushable.flush();
    batch.length = 0;
    this.#spare = batch;
  };
}
