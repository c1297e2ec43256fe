import type { Clock } from './clock.ts';

/** Something with deadlines of its own. */
export interface Sleeper {
  /** Deals with what is due at `now` and returns the next deadline, or `Infinity` for none. */
  wake(now: number): number;
  /** Owned by the wheel: the tick at which this sleeper is due, or `neverDue`. */
  wakeTick: number;
}

export const neverDue = -1;

/** Resolution of the wheel in milliseconds. */
export const tickMs = 50;
const slotCount = 2048;

/**
 * One timer for every deadline of every connection. A sleeper has one place in the wheel, its nearest
 * deadline; one beyond the horizon (about 100 s) is revisited on the way. Resolution 50 ms, never
 * early. Times are `Clock.monotonic` milliseconds.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots: Set<Sleeper>[] = Array.from({ length: slotCount }, () => new Set());
  readonly #stop: () => void;
  /** The last tick whose slot was emptied. */
  #tick: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.monotonic() / tickMs);
    this.#stop = clock.every(tickMs, () => this.#advance());
  }

  /** A coarse clock that costs nothing: ticks of {@link tickMs} since any moment. */
  get tick(): number {
    return this.#tick;
  }

  /** Wakes the sleeper at `deadline`, unless it already is to be woken earlier. */
  schedule(sleeper: Sleeper, deadline: number): void {
    if (deadline === Infinity) return;
    const wanted = Math.max(this.#tick + 1, Math.ceil(deadline / tickMs));
    const tick = Math.min(wanted, this.#tick + slotCount - 1);
    if (sleeper.wakeTick !== neverDue) {
      if (sleeper.wakeTick <= tick) return;
      this.cancel(sleeper);
    }
    sleeper.wakeTick = tick;
    this.#slot(tick).add(sleeper);
  }

  /** Forgets the sleeper; the wheel keeps no reference to it. */
  cancel(sleeper: Sleeper): void {
    if (sleeper.wakeTick === neverDue) return;
    this.#slot(sleeper.wakeTick).delete(sleeper);
    sleeper.wakeTick = neverDue;
  }

  close(): void {
    this.#stop();
  }

  #slot(tick: number): Set<Sleeper> {
    return this.#slots[tick % slotCount] as Set<Sleeper>;
  }

  #advance(): void {
    const now = this.#clock.monotonic();
    const target = Math.floor(now / tickMs);
    // After a long stall every slot is visited once, not once per missed tick.
    this.#tick = Math.max(this.#tick, target - slotCount);
    while (this.#tick < target) {
      this.#tick += 1;
      const slot = this.#slot(this.#tick);
      if (slot.size === 0) continue;
      const due = [...slot];
      slot.clear();
      for (const sleeper of due) sleeper.wakeTick = neverDue;
      for (const sleeper of due) this.schedule(sleeper, sleeper.wake(now));
    }
  }
}
