import { type Clock, systemClock } from '../clock.ts';
import type { Revocation, RevocationStore } from '../ports/revocation-store.ts';
import { RevocationTable } from '../revocation/revocation-table.ts';

const leastSweepSize = 1_024;

/**
 * A store that lives with its process: a hub that is alone forgets with it whom it refused. Nodes of
 * a cluster still learn from each other, as long as one of them stays up.
 */
export class MemoryRevocationStore implements RevocationStore {
  readonly #clock: Clock;
  readonly #table = new RevocationTable();
  #sweepSize = leastSweepSize;

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock;
  }

  async load(): Promise<readonly Revocation[]> {
    return this.#table.page(0, Infinity).revocations;
  }

  async put(revocation: Revocation): Promise<void> {
    if (this.#table.size >= this.#sweepSize) {
      this.#table.sweep(this.#clock.now());
      this.#sweepSize = Math.max(leastSweepSize, 2 * this.#table.size);
    }
    this.#table.put(revocation);
  }

  problem(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    // Nothing to let go of.
  }
}
