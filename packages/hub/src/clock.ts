/** Time and timers, injected so that every rule about time can be tested without waiting. */
export interface Clock {
  /** Unix milliseconds. May jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds that never jump, for deadlines and durations. */
  monotonic(): number;
  /** Calls back every `intervalMs` until the returned function is called. Never keeps the process alive. */
  every(intervalMs: number, callback: () => void): () => void;
}

/** The machine's clock. Its timers keep no process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  every(intervalMs, callback) {
    const timer = setInterval(callback, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};
