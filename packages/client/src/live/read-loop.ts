import { ClientError } from '../client-error.ts';
import type { Environment } from '../environment.ts';
import { type Backoff, pauseMs } from './backoff.ts';

export interface ReadLoopOptions<Loaded> {
  readonly read: () => Promise<Loaded>;
  /** Takes what was read, and calls `settle` when nothing more has to be read for it. */
  readonly install: (loaded: Loaded, settle: () => void) => void;
  /** A reading failed; {@link ReadLoop.hasFailed} says whether for good. */
  readonly onFailed: (problem: ClientError) => void;
  readonly environment: Environment;
  readonly backoff: Backoff;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Reads as often as that is wanted, one reading at a time, until one that began after the newest wish was
 * good. Failures are tried again with growing pauses, unless trying again is useless.
 */
export class ReadLoop<Loaded> {
  readonly #options: ReadLoopOptions<Loaded>;
  /** Wishes, and how many of them were fulfilled. */
  #wanted = 0;
  #done = 0;
  #isRunning = false;
  #hasFailed = false;
  #cancelPause: () => void = () => undefined;

  constructor(options: ReadLoopOptions<Loaded>) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.hurry(), { once: true });
  }

  /** A wish is not fulfilled yet. */
  get isDue(): boolean {
    return this.#wanted > this.#done;
  }

  /** A reading is under way, or waits for its next attempt. */
  get isReading(): boolean {
    return this.isDue && !this.#hasFailed && !this.#options.signal.aborted;
  }

  /** Nothing more is read until {@link resume}. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  want(): void {
    this.#wanted += 1;
    if (!this.#isRunning && !this.#hasFailed) void this.#run();
  }

  /** Gives up until {@link resume}. */
  fail(): void {
    this.#hasFailed = true;
  }

  /** Goes on, with the next wish, after it was given up. */
  resume(): void {
    this.#hasFailed = false;
  }

  /** Tries at once what waits for its next attempt. */
  hurry(): void {
    this.#cancelPause();
  }

  async #run(): Promise<void> {
    const { read, install, onFailed, signal } = this.#options;
    this.#isRunning = true;
    for (let attempt = 0; this.isReading; attempt++) {
      const turn = this.#wanted;
      try {
        const loaded = await read();
        if (signal.aborted) break;
        install(loaded, () => {
          this.#done = turn;
        });
        if (this.isReading) await this.#pause(attempt);
      } catch (error) {
        if (signal.aborted) break;
        const problem = asClientError(error);
        this.#hasFailed = !problem.retryable;
        onFailed(problem);
        if (!this.#hasFailed) await this.#pause(attempt, problem);
      }
    }
    this.#isRunning = false;
  }

  #pause(attempt: number, error?: ClientError): Promise<void> {
    const { environment, backoff } = this.#options;
    const delayMs = pauseMs(attempt, { environment, backoff, error });
    return new Promise((resolve) => {
      const cancel = environment.after(delayMs, resolve);
      this.#cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** What a source threw that is no error of the client's is a mistake in it, and stays one. */
function asClientError(error: unknown): ClientError {
  return error instanceof ClientError ? error : new ClientError('misused', String(error));
}
