import { ClientError } from '../client-error.ts';
import type { Environment } from '../environment.ts';
import { type Backoff, pauseMs } from './backoff.ts';

/** A change that is shown already, and not yet part of what the server told. */
export interface PendingChange<Change, Receipt> {
  readonly id: string;
  readonly change: Change;
  /** Present once the server has carried it out: it is shown until the state contains it. */
  receipt?: Receipt;
}

export interface ChangeQueueOptions<Change, Receipt> {
  readonly send: (change: Change, signal: AbortSignal) => Promise<Receipt>;
  /** The server has carried it out. */
  readonly onDone: (pending: PendingChange<Change, Receipt>) => void;
  /** It failed for good, and must not be shown any more. */
  readonly onFailed: (pending: PendingChange<Change, Receipt>) => void;
  readonly environment: Environment;
  readonly backoff: Backoff;
  /** Changes that may wait; more are refused with `queue_full`. */
  readonly maxSize: number;
  /** How long one may be tried before it fails. */
  readonly timeoutMs: number;
}

interface Waiting<Change, Receipt> extends PendingChange<Change, Receipt> {
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Sends changes to the server, one after the other in the order in which they were made, each again
 * until the server has answered or its time is over. What is sent must be idempotent.
 */
export class ChangeQueue<Change, Receipt> {
  readonly #options: ChangeQueueOptions<Change, Receipt>;
  readonly #waiting: Waiting<Change, Receipt>[] = [];
  readonly #closed = new AbortController();
  #isRunning = false;
  /** The first of those that wait is with the server, not in a pause. */
  #isUnderWay = false;
  #wake: () => void = () => undefined;

  constructor(options: ChangeQueueOptions<Change, Receipt>) {
    this.#options = options;
  }

  /**
   * @returns the change, which waits now, and a promise of its end
   * @throws {@link ClientError} `queue_full`, `closed`
   */
  add(change: Change): {
    readonly pending: PendingChange<Change, Receipt>;
    readonly done: Promise<void>;
  } {
    const { environment, maxSize, timeoutMs } = this.#options;
    if (this.#closed.signal.aborted) throw new ClientError('closed', 'the store was closed');
    if (this.#waiting.length >= maxSize) {
      throw new ClientError('queue_full', `${maxSize} changes wait for the server already`);
    }
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const pending = {
      id: crypto.randomUUID(),
      change,
      deadline: environment.now() + timeoutMs,
      resolve,
      reject,
    };
    this.#waiting.push(pending);
    return { pending, done };
  }

  /** Starts sending, or tries again at once instead of after its pause. */
  run(): void {
    this.#wake();
    if (!this.#isRunning) void this.#run();
  }

  /**
   * Sends at once all that waits, since the page may end: in its order, and none waits for the answer to
   * the one before. For a page that lives on nothing has changed: what waits is still to be answered.
   */
  flush(): void {
    for (const { change } of this.#waiting.slice(this.#isUnderWay ? 1 : 0)) {
      this.#options.send(change, this.#closed.signal).catch(() => undefined);
    }
  }

  close(): void {
    this.#closed.abort();
    this.#wake();
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new ClientError('closed', 'the store was closed'));
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const outcome = await this.#send(next);
      if (this.#closed.signal.aborted) break;
      this.#waiting.shift();
      if (outcome instanceof Error) {
        this.#options.onFailed(next);
        next.reject(outcome);
      } else {
        next.receipt = outcome.receipt;
        this.#options.onDone(next);
        next.resolve();
      }
    }
    this.#isRunning = false;
  }

  async #send({
    change,
    deadline,
  }: Waiting<Change, Receipt>): Promise<{ readonly receipt: Receipt } | Error> {
    const { environment, backoff, send } = this.#options;
    for (let attempt = 0; ; attempt++) {
      this.#isUnderWay = true;
      try {
        return { receipt: await send(change, this.#closed.signal) };
      } catch (cause) {
        this.#isUnderWay = false;
        const error = cause as Error;
        const delayMs = pauseMs(attempt, { backoff, environment, error });
        const isOver = environment.now() + delayMs >= deadline;
        const mayHelp = error instanceof ClientError && error.retryable;
        if (!mayHelp || isOver || this.#closed.signal.aborted) return error;
        await this.#pause(delayMs);
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.environment.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
