/** Time and timers, injected so that every rule about time can be tested without waiting. */
export interface Clock {
  /** Unix milliseconds. May jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds that never jump, for deadlines and durations. */
  monotonic(): number;
  /** Calls back every `intervalMs` until the returned function is called. */
  every(intervalMs: number, callback: () => void): () => void;
}

/**
 * The machine's clock. Its timers keep the process alive, so that a command line that waits for a
 * lock does not end early; whoever opens a store closes it.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  every(intervalMs, callback) {
    const timer = setInterval(callback, intervalMs);
    return () => clearInterval(timer);
  },
};

/** Calls back once, unless the returned function is called before. */
export function after(clock: Clock, delayMs: number, callback: () => void): () => void {
  const stop = clock.every(delayMs, () => {
    stop();
    callback();
  });
  return stop;
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const finish = (): void => {
      stop();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const stop = after(clock, delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/**
 * Settles as `promise` does, or rejects with what `onDeadline` returns when that takes longer than
 * `deadlineMs`. The promise itself goes on; whoever calls this must make its late result harmless.
 */
export function withDeadline<T>(
  promise: Promise<T>,
  deadlineMs: number,
  options: { readonly clock: Clock; readonly onDeadline: () => Error },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = after(options.clock, deadlineMs, () => reject(options.onDeadline()));
    promise.then(resolve, reject).finally(stop);
  });
}
