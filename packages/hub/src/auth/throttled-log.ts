import type { Clock } from '../clock.ts';
import type { Logger } from '../hub.ts';

interface Line {
  loggedAt: number;
  suppressed: number;
}

/**
 * Writes at most one line per key and interval, so that strangers cannot fill the log. The next line
 * of a key says how many were left out. Keys must come from a fixed set.
 */
export class ThrottledLog {
  readonly #logger: Logger | undefined;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #lines = new Map<string, Line>();

  constructor(
    logger: Logger | undefined,
    { clock, intervalMs = 30_000 }: { readonly clock: Clock; readonly intervalMs?: number },
  ) {
    this.#logger = logger;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** The first argument's key decides what counts as the same line. */
  warn(key: string, fields: object, message: string): void {
    if (!this.#logger) return;
    const now = this.#clock.monotonic();
    const line = this.#lines.get(key);
    if (line && now - line.loggedAt < this.#intervalMs) {
      line.suppressed += 1;
      return;
    }
    const suppressed = line?.suppressed ?? 0;
    this.#lines.set(key, { loggedAt: now, suppressed: 0 });
    this.#logger.warn({ ...fields, ...(suppressed > 0 && { suppressed }) }, message);
  }
}
