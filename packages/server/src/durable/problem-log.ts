import { type Clock, type Logger, systemClock } from '@holdfast/hub';
import { StoreError } from '@holdfast/store';
import { FailureLog } from '../hooks/failure-log.ts';

/** What a feature that stands on the store tells of. */
export interface Problem {
  readonly message: string;
  readonly cause: unknown;
}

/**
 * Writes down what goes wrong in the features that stand on the store. While the store is away, full
 * or too slow, everything that is asked of it fails in the same way: that is written once in ten
 * seconds for each code of {@link StoreError} that may pass by itself, with the number of those left
 * out (`suppressed`). Everything else is written each time.
 */
export class ProblemLog {
  readonly #logger: Logger;
  readonly #repeated: FailureLog;

  constructor(logger: Logger, clock: Pick<Clock, 'monotonic'> = systemClock) {
    this.#logger = logger;
    this.#repeated = new FailureLog(clock);
  }

  readonly warn = (problem: Problem): void => this.#write('warn', problem);
  readonly error = (problem: Problem): void => this.#write('error', problem);

  #write(level: 'warn' | 'error', { message, cause }: Problem): void {
    if (!(cause instanceof StoreError) || !cause.retryable) {
      this.#logger[level]({ err: cause }, message);
      return;
    }
    this.#repeated.report(`${level} ${cause.code}`, (suppressed) =>
      this.#logger[level]({ err: cause, suppressed }, message),
    );
  }
}
