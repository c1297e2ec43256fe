import { sql, type DatabaseConnection } from 'kysely';
import { delay, type Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import type { OutboxRelayOptions } from './outbox-relay-options.ts';
import { openSession } from './session.ts';
import type { StoreTables } from './store-module.ts';
import { inList } from './in-list.ts';

/** A row of the outbox, as it is read to be published. */
export interface OutboxRow {
  readonly seq: number;
  readonly id: string;
  readonly channel: string;
  readonly data: string;
  readonly created_at: number;
}

interface RejectedRow extends OutboxRow {
  readonly reason: string;
}

const retryMs = 1000;

export interface HandledRowsOptions extends Required<
  Pick<OutboxRelayOptions, 'maxDeadLetters' | 'onProblem'>
> {
  readonly clock: Clock;
  /** Ends the wait between two attempts to delete. */
  readonly closing: AbortSignal;
  /** Resolves when no look is under way that began before now. */
  readonly looked: () => Promise<void> | undefined;
  /** Told when all are deleted, or when that was given up because of `closing`. */
  readonly onDeleted: () => void;
}

/**
 * Rows that were published or refused, until they are deleted and no look at the table can bring them
 * any more: a row that is remembered here must not be published once more after the broker has
 * forgotten its key.
 */
export class HandledRows {
  readonly #engine: Engine;
  readonly #options: HandledRowsOptions;
  /** Not their numbers: a failover that loses the last moments gives these out again. */
  readonly #ids = new Set<string>();
  /** Those of them that are to be deleted. */
  #published: OutboxRow[] = [];
  #rejected: RejectedRow[] = [];
  #deleting: Promise<void> | undefined;

  constructor(engine: Engine, options: HandledRowsOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  get size(): number {
    return this.#ids.size;
  }

  has({ id }: OutboxRow): boolean {
    return this.#ids.has(id);
  }

  /** The broker has it. */
  addPublished(row: OutboxRow): void {
    this.#ids.add(row.id);
    this.#published.push(row);
  }

  /** The broker will never take it: it is kept among the dead letters. */
  addRejected(row: OutboxRow, error: unknown): void {
    this.#ids.add(row.id);
    this.#rejected.push({ ...row, reason: String(error).slice(0, 500) });
  }

  /**
   * Deletes all, beside what is published meanwhile; those share the next transaction. While the
   * database is away it tries again every second. Never rejects.
   */
  async deleteAll(): Promise<void> {
    if (this.#hasSome) this.#deleting ??= this.#delete();
    await this.#deleting;
  }

  get #hasSome(): boolean {
    return this.#published.length > 0 || this.#rejected.length > 0;
  }

  async #delete(): Promise<void> {
    const { clock, closing, looked, onDeleted, onProblem } = this.#options;
    while (this.#hasSome) {
      const published = this.#published;
      const rejected = this.#rejected;
      this.#published = [];
      this.#rejected = [];
      try {
        await this.#engine.write((connection) => this.#remove(connection, published, rejected));
      } catch (error) {
        this.#published.push(...published);
        this.#rejected.push(...rejected);
        onProblem({ message: 'published events cannot be deleted', cause: error });
        await delay(clock, retryMs, closing);
        // A stop waits for one attempt.
        if (closing.aborted) break;
        continue;
      }
      // A look that began before the rows were gone may still bring them.
      await looked();
      for (const { id } of [...published, ...rejected]) this.#ids.delete(id);
    }
    this.#deleting = undefined;
    onDeleted();
  }

  async #remove(
    connection: DatabaseConnection,
    published: readonly OutboxRow[],
    rejected: readonly RejectedRow[],
  ): Promise<void> {
    const db = openSession<StoreTables>(this.#engine, connection);
    const handled = [...published, ...rejected];
    const { name } = this.#engine;
    const seqs = inList(
      name,
      handled.map(({ seq }) => seq),
    );
    const ids = inList(
      name,
      handled.map(({ id }) => id),
    );
    await sql`delete from outbox where seq ${seqs} and id ${ids}`.execute(db);
    if (rejected.length === 0) return;
    for (const row of rejected) {
      await db
        .insertInto('outbox_dead')
        .values({ ...row, died_at: this.#options.clock.now() })
        .onConflict((conflict) => conflict.column('seq').doNothing())
        .execute();
    }
    await sql`delete from outbox_dead where seq not in (
      select seq from outbox_dead order by seq desc limit ${this.#options.maxDeadLetters}
    )`.execute(db);
  }
}
