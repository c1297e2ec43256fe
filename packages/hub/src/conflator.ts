import type { Clock } from './clock.ts';
import { neverDue, type Sleeper, type TimerWheel } from './timer-wheel.ts';

/** Keys that may wait; with more everything is delivered at once, before its time. */
const maxKeys = 1_000;

export interface ConflatorOptions<Item> {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly deliver: (item: Item) => void;
  /** Told of each item that a later one took the place of. */
  readonly dropped: (key: string, item: Item) => void;
}

/**
 * Thins out a fast stream: at most one item per key and interval, always the latest.
 *
 * What comes after a pause is delivered at once. Then an interval runs in which items wait, one per
 * key; at its end all leave together, in the order in which they came, and the next interval begins.
 * So whatever waits is newer than anything delivered: a client whose position is that of its last
 * delivery gets all that waited when it recovers from there.
 */
export class Conflator<Item> implements Sleeper {
  readonly #options: ConflatorOptions<Item>;
  /** In the order of their arrival. */
  readonly #waiting = new Map<string, Item>();
  #opensAt = -Infinity;
  wakeTick: number = neverDue;

  constructor(options: ConflatorOptions<Item>) {
    this.#options = options;
  }

  offer(key: string, item: Item): void {
    const { clock, timers, intervalMs, deliver } = this.#options;
    const now = clock.monotonic();
    if (now >= this.#opensAt && this.#waiting.size === 0) {
      this.#opensAt = now + intervalMs;
      deliver(item);
      return;
    }
    this.discard(key);
    this.#waiting.set(key, item);
    if (this.#waiting.size > maxKeys) this.#flush(now);
    else timers.schedule(this, this.#opensAt);
  }

  /** Drops what waits under a key: it is out of date. */
  discard(key: string): void {
    const item = this.#waiting.get(key);
    if (item === undefined) return;
    this.#waiting.delete(key);
    this.#options.dropped(key, item);
  }

  wake(now: number): number {
    if (now < this.#opensAt) return this.#opensAt;
    if (this.#waiting.size > 0) this.#flush(now);
    return Infinity;
  }

  #flush(now: number): void {
    const items = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#opensAt = now + this.#options.intervalMs;
    for (const item of items) this.#options.deliver(item);
  }

  /** Forgets what waits. */
  close(): void {
    this.#waiting.clear();
    this.#options.timers.cancel(this);
  }
}
