import type { Command } from '@holdfast/protocol';

export interface CommandQueueOptions {
  /** Commands handled at the same time; 0 and 1 keep strict order. */
  readonly concurrency: number;
  /** Commands that may wait; with more the transport stops reading until half of them are handled. */
  readonly limit: number;
  /** Undefined when done at once. Never rejects. */
  readonly handle: (command: Command) => Promise<void> | undefined;
  readonly setReading: (isReading: boolean) => void;
}

/**
 * The commands of one connection, in order. Whatever `concurrency` says, the first command (connect)
 * is handled alone: those that a client sent along with it wait for its outcome.
 */
export class CommandQueue {
  readonly #options: CommandQueueOptions;
  #waiting: Command[] = [];
  #running = 0;
  #isFirst = true;
  #isReading = true;

  constructor(options: CommandQueueOptions) {
    this.#options = options;
  }

  push(commands: readonly Command[]): void {
    for (const command of commands) this.#waiting.push(command);
    this.#work();
    if (this.#isReading && this.#waiting.length > this.#options.limit) this.#setReading(false);
  }

  clear(): void {
    this.#waiting = [];
  }

  #setReading(isReading: boolean): void {
    this.#isReading = isReading;
    this.#options.setReading(isReading);
  }

  #work(): void {
    let taken = 0;
    const waiting = this.#waiting;
    while (taken < waiting.length && this.#running < this.#allowed() && waiting === this.#waiting) {
      const command = waiting[taken] as Command;
      taken += 1;
      const handled = this.#options.handle(command);
      if (handled === undefined) {
        this.#isFirst = false;
        continue;
      }
      this.#running += 1;
      void handled.then(this.#finish);
    }
    waiting.splice(0, taken);
    if (!this.#isReading && this.#waiting.length <= this.#options.limit / 2) this.#setReading(true);
  }

  #allowed(): number {
    return this.#isFirst ? 1 : Math.max(1, this.#options.concurrency);
  }

  readonly #finish = (): void => {
    this.#isFirst = false;
    this.#running -= 1;
    this.#work();
  };
}
