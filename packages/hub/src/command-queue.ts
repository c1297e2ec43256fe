import type { Command } from '@holdfast/protocol';

export interface CommandLimits {
  /** Commands handled at the same time; 0 and 1 keep strict order. */
  readonly concurrency: number;
  /** Commands that may wait; with more the host stops reading until half of them are handled. */
  readonly maxPendingCommands: number;
  /**
   * Bytes that may have come since commands began to wait; with more the host stops reading until
   * none waits.
   */
  readonly maxPendingBytes: number;
}

/** Whose commands they are. */
export interface CommandHost {
  /** Replies wait for the client to read: further commands have to wait too. */
  readonly isBacklogged: boolean;
  /** Undefined when done at once. Never rejects. */
  perform(command: Command): Promise<void> | undefined;
  setReading(isReading: boolean): void;
  /** The first command and those that came before it was done are done. Called once, if at all. */
  settled(): void;
}

/**
 * The commands of one connection, in order. Whatever `concurrency` says, the first command (connect)
 * is handled alone: those that a client sent along with it wait for its outcome.
 */
export class CommandQueue {
  readonly #limits: CommandLimits;
  readonly #host: CommandHost;
  #waiting: Command[] = [];
  /** Of all frames since nothing waited: no less than the commands that wait hold in memory. */
  #waitingBytes = 0;
  #running = 0;
  #isFirst = true;
  /** How many of those that waited for the first command are still to be done. */
  #behindFirst = 0;
  #isReading = true;

  constructor(limits: CommandLimits, host: CommandHost) {
    this.#limits = limits;
    this.#host = host;
  }

  /** @param bytes - length of the frame that the commands came in. */
  push(commands: readonly Command[], bytes: number): void {
    for (const command of commands) this.#waiting.push(command);
    this.#waitingBytes += bytes;
    this.#work();
    const { maxPendingCommands, maxPendingBytes } = this.#limits;
    const isFull =
      this.#waiting.length > maxPendingCommands || this.#waitingBytes > maxPendingBytes;
    if (this.#isReading && isFull) this.#setReading(false);
  }

  /** The host is no longer backlogged. */
  resume(): void {
    if (this.#waiting.length > 0) this.#work();
  }

  clear(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #setReading(isReading: boolean): void {
    this.#isReading = isReading;
    this.#host.setReading(isReading);
  }

  #work(): void {
    let taken = 0;
    const waiting = this.#waiting;
    while (
      taken < waiting.length &&
      this.#running < this.#allowed() &&
      !this.#host.isBacklogged &&
      waiting === this.#waiting
    ) {
      const command = waiting[taken] as Command;
      taken += 1;
      const handled = this.#host.perform(command);
      if (handled === undefined) {
        this.#note(waiting.length - taken);
        continue;
      }
      this.#running += 1;
      void handled.then(() => this.#finish());
    }
    waiting.splice(0, taken);
    if (this.#waiting.length === 0) this.#waitingBytes = 0;
    const { maxPendingCommands, maxPendingBytes } = this.#limits;
    const isRelieved =
      this.#waiting.length <= maxPendingCommands / 2 && this.#waitingBytes <= maxPendingBytes;
    if (!this.#isReading && isRelieved) this.#setReading(true);
  }

  #allowed(): number {
    return this.#isFirst ? 1 : Math.max(1, this.#limits.concurrency);
  }

  #finish(): void {
    this.#note(this.#waiting.length);
    this.#running -= 1;
    this.#work();
  }

  /** A command is done, and so many wait. */
  #note(waiting: number): void {
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#behindFirst = waiting;
    } else if (this.#behindFirst > 0) {
      this.#behindFirst -= 1;
    } else {
      return;
    }
    if (this.#behindFirst === 0) this.#host.settled();
  }
}
