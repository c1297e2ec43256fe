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

  readonly warn = ({ message, cause }: Problem): void =>
    this.#write('warn', { err: cause }, message);
  readonly error = ({ message, cause }: Problem): void =>
    this.#write('error', { err: cause }, message);

  /** For features that write lines of their own: those whose `err` is such an error are counted with the others. */
  get logger(): Logger {
    return {
      debug: (fields, message) => this.#logger.debug(fields, message),
      info: (fields, message) => this.#logger.info(fields, message),
      warn: (fields, message) => this.#write('warn', fields, message),
      error: (fields, message) => this.#write('error', fields, message),
    };
  }

  #write(level: 'warn' | 'error', fields: { readonly err?: unknown }, message: string): void {
    const { err } = fields;
    if (!(err instanceof StoreError) || !err.retryable) {
      this.#logger[level](fields, message);
      return;
    }
    this.#repeated.report(`${level} ${err.code}`, (suppressed) =>
      this.#logger[level]({ ...fields, suppressed }, message),
    );
  }
}
