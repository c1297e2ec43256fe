import type { Clock } from '@holdfast/hub';

/**
 * Lets the first of many equal log lines through and then one per interval, so that a backend that is
 * down neither floods the log nor disappears from it.
 */
export class FailureLog {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #intervalMs: number;
  readonly #entries = new Map<string, { nextAt: number; suppressed: number }>();

  constructor(clock: Pick<Clock, 'monotonic'>, intervalMs = 10_000) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /**
   * Calls `write` unless the same `key` was written within the interval. Keys must come from a small
   * fixed set, never from what a client sent.
   */
  report(key: string, write: (suppressed: number) => void): void {
    const now = this.#clock.monotonic();
    const entry = this.#entries.get(key) ?? { nextAt: -Infinity, suppressed: 0 };
    this.#entries.set(key, entry);
    if (now < entry.nextAt) {
      entry.suppressed += 1;
      return;
    }
    const { suppressed } = entry;
    entry.suppressed = 0;
    entry.nextAt = now + this.#intervalMs;
    write(suppressed);
  }
}
