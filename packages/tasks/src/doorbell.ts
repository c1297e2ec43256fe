import { after, type Clock } from '@holdfast/store';

/** Wakes those who wait for work of some kinds. A ring that nobody hears is lost. */
export class Doorbell {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Kinds that somebody waits for. */
  get awaited(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /**
   * Wakes the one who has waited longest for each kind: who finds work rings for the next one, so that
   * a hundred who wait do not all look for one task.
   */
  ring(kinds: Iterable<string>): void {
    for (const kind of kinds) {
      const [wake] = this.#waiting.get(kind) ?? [];
      wake?.();
    }
  }

  /** Wakes everybody who waits for one of `kinds`. */
  ringForAll(kinds: Iterable<string>): void {
    for (const kind of kinds) {
      for (const wake of Array.from(this.#waiting.get(kind) ?? [])) wake();
    }
  }

  /** Resolves when one of `kinds` is rung for, after `waitMs`, or when `signal` is aborted. */
  wait(
    kinds: readonly string[],
    options: { readonly clock: Clock; readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock, waitMs, signal } = options;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        stop();
        signal.removeEventListener('abort', finish);
        for (const kind of kinds) {
          const waiting = this.#waiting.get(kind);
          waiting?.delete(finish);
          if (waiting?.size === 0) this.#waiting.delete(kind);
        }
        resolve();
      };
      const stop = after(clock, Math.max(waitMs, 1), finish);
      signal.addEventListener('abort', finish);
      for (const kind of kinds) {
        const waiting = this.#waiting.get(kind) ?? new Set();
        waiting.add(finish);
        this.#waiting.set(kind, waiting);
      }
    });
  }
}
