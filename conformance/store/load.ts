import { StoreError, type Store } from '@holdfast/store';
import { vi } from 'vitest';
import type { JournalTables } from './journal.ts';
import { patience, type Witness } from './witness.ts';

/** Two rows and an event, in one transaction. */
export async function writePair(
  store: Store<JournalTables>,
  row: { readonly id: string; readonly writer: string; readonly number: number },
): Promise<void> {
  await store.transaction(async (trx) => {
    await trx
      .insertInto('entries')
      .values({ ...row, half: 1 })
      .execute();
    store.outbox.append(trx, { channel: row.id, data: { id: row.id, number: 1 } });
    await trx
      .insertInto('entries')
      .values({ ...row, half: 2 })
      .execute();
  });
}

/** Ten writers that write to a store as fast as they can, to the end of their `using` block at most. */
export class Load implements AsyncDisposable {
  /** How often a write failed, by code. Others than those that a repetition may mend end the load. */
  readonly codes = new Map<string, number>();
  readonly #store: Store<JournalTables>;
  readonly #witness: Witness;
  readonly #writers: Promise<unknown>;
  #acknowledged = 0;
  #isStopping = false;

  constructor(store: Store<JournalTables>, witness: Witness) {
    this.#store = store;
    this.#witness = witness;
    this.#writers = Promise.all(Array.from({ length: 10 }, (_, index) => this.#write(`w${index}`)));
  }

  /** Resolves when this many more writes have been acknowledged. */
  async goesOn(more = 200): Promise<void> {
    const before = this.#acknowledged;
    const moved = vi.waitFor(() => {
      const done = this.#acknowledged - before;
      if (done < more) throw new Error(`${done} of ${more} writes were acknowledged`);
    }, patience);
    await Promise.race([moved, this.#writers.then(() => moved)]);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#writers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#writers.catch(() => {});
  }

  async #write(writer: string): Promise<void> {
    const store = this.#store;
    for (let number = 1; !this.#isStopping; number += 1) {
      const id = store.ids.next();
      try {
        await writePair(store, { id, writer, number });
        this.#witness.acknowledged.add(id);
        this.#acknowledged += 1;
      } catch (error) {
        if (!(error instanceof StoreError) || !error.retryable) throw error;
        this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1);
      }
    }
  }
}
