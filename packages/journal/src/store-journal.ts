import { randomUUID } from 'node:crypto';
import type { ChannelChange, ChannelJournal, ChannelRecord } from '@holdfast/hub';
import { inList, type Store, type StoreTransaction } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { beginStreamsAnew } from './begin-streams-anew.ts';
import type { JournalTables } from './journal-module.ts';
import { piecesOf, sizeOf } from './pieces.ts';
import { readChannels, type ChannelRow } from './read-channels.ts';
import { toStorable, fromStorable } from './storable-text.ts';
import { writeChannels } from './write-channels.ts';

type Transaction = StoreTransaction<JournalTables>;

/** Names of one page. */
const namesPerPage = 1000;
/** Channels of a snapshot in memory at once, and their publications, unless one channel alone has more. */
const channelsPerRead = 200;
const publicationsPerPage = 5000;
/** Publications and keys of one transaction of a snapshot, and bytes of their data. */
const itemsPerWrite = 4000;
const bytesPerWrite = 1024 * 1024;

export interface StoreJournalOptions {
  /** Tells the journals of one store apart. */
  readonly name: string;
  /**
   * Names the current run of the machine, for a store whose last commits get lost with the power. After
   * another one streams have new epochs: positions that clients know may be gone, and must not be given
   * out again. @defaultValue commits don't get lost
   */
  readonly boot?: string;
}

/**
 * A channel journal in the tables of a store. What {@link commit} has written survives what the store's
 * commits survive: with SQLite's `synchronous: full` and with PostgreSQL also a power failure.
 */
export class StoreJournal implements ChannelJournal {
  readonly #store: Store<JournalTables>;
  readonly #name: string;
  readonly #boot: string | null;
  readonly #owner: string = randomUUID();
  #id = 0;
  #isTakenOver = false;

  constructor(store: Store<JournalTables>, { name, boot }: StoreJournalOptions) {
    this.#store = store;
    this.#name = toStorable(name);
    this.#boot = boot ?? null;
  }

  async open(): Promise<void> {
    this.#id = await this.#store.transaction(async (transaction) => {
      const before = await transaction
        .selectFrom('journals')
        .select(['id', 'boot'])
        .where('name', '=', this.#name)
        .executeTakeFirst();
      if (before !== undefined && before.boot !== null && before.boot !== this.#boot) {
        await beginStreamsAnew(transaction, before.id);
      }
      const { rows } = await sql<{ id: number }>`
        insert into journals (name, owner, generation, boot)
        values (${this.#name}, ${this.#owner}, 0, ${this.#boot})
        on conflict (name) do update set
          owner = excluded.owner, writing = null, boot = excluded.boot
        returning id`.execute(transaction);
      return rows[0]?.id ?? 0;
    });
    this.#isTakenOver = false;
  }

  async *channels(): AsyncGenerator<readonly string[], void, undefined> {
    for (let after = 0; ;) {
      const rows = await this.#store.read((db) =>
        db
          .selectFrom('journal_channels')
          .select(['id', 'channel'])
          .where('journal', '=', this.#id)
          .where('generation', '=', 0)
          .where('id', '>', after)
          .orderBy('id')
          .limit(namesPerPage)
          .execute(),
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
      yield rows.map(({ channel }) => fromStorable(channel));
    }
  }

  load(channels: readonly string[]): Promise<readonly ChannelRecord[]> {
    const { dialect } = this.#store;
    return readChannels(this.#store, (db) =>
      db
        .selectFrom('journal_channels')
        .selectAll()
        .where('journal', '=', this.#id)
        .where('generation', '=', 0)
        .where(sql<SqlBool>`channel ${inList(dialect, channels.map(toStorable))}`)
        .execute(),
    );
  }

  async commit(changes: readonly ChannelChange[]): Promise<void> {
    await this.#write(async (transaction) => {
      const context = { dialect: this.#store.dialect, journal: this.#id, generation: 0 };
      await writeChannels(transaction, context, changes);
    });
  }

  async *takeSnapshot(): AsyncGenerator<ChannelRecord, void, undefined> {
    const journal = await this.#store.read((db) =>
      db
        .selectFrom('journals')
        .select('snapshot')
        .where('id', '=', this.#id)
        .executeTakeFirstOrThrow(),
    );
    if (journal.snapshot === null) return;
    for (let after = 0; ;) {
      const page = await this.#readSnapshot(journal.snapshot, after);
      if (page.last === undefined) break;
      after = page.last;
      yield* page.records;
    }
    await this.#write(async (transaction) => {
      await transaction
        .updateTable('journals')
        .set({ snapshot: null })
        .where('id', '=', this.#id)
        .execute();
    });
  }

  async #readSnapshot(
    generation: number,
    after: number,
  ): Promise<{ readonly records: readonly ChannelRecord[]; readonly last: number | undefined }> {
    let last: number | undefined;
    const records = await readChannels(this.#store, async (db) => {
      const rows = await db
        .selectFrom('journal_channels')
        .selectAll()
        .where('journal', '=', this.#id)
        .where('generation', '=', generation)
        .where('id', '>', after)
        .orderBy('id')
        .limit(channelsPerRead)
        .execute();
      const page: ChannelRow[] = [];
      let publications = 0;
      for (const row of rows) {
        publications += row.top - row.oldest + 1;
        if (page.length > 0 && publications > publicationsPerPage) break;
        page.push(row);
      }
      last = page.at(-1)?.id;
      return page;
    });
    return { records, last };
  }

  async saveSnapshot(records: Iterable<ChannelRecord>, signal: AbortSignal): Promise<number> {
    const generation = await this.#beginSnapshot();
    let channels = 0;
    let batch = new Map<string, ChannelChange>();
    let items = 0;
    let bytes = 0;
    const write = async (): Promise<void> => {
      const changes = [...batch.values()];
      batch = new Map();
      items = 0;
      bytes = 0;
      await this.#write(async (transaction) => {
        const context = { dialect: this.#store.dialect, journal: this.#id, generation };
        await writeChannels(transaction, context, changes);
      });
    };
    for (const record of records) {
      for (const piece of piecesOf(record, itemsPerWrite)) {
        if (batch.has(piece.channel)) await write();
        batch.set(piece.channel, piece);
        const size = sizeOf(piece);
        items += size.items;
        bytes += size.bytes;
        if (items >= itemsPerWrite || bytes >= bytesPerWrite) await write();
      }
      channels += 1;
      if (signal.aborted) break;
    }
    await write();
    await this.#finishSnapshot(generation);
    return channels;
  }

  /** The snapshot of before no longer counts. */
  #beginSnapshot(): Promise<number> {
    return this.#write(async (transaction) => {
      const { rows } = await sql<{ generation: number }>`
        update journals set generation = generation + 1, writing = generation + 1, snapshot = null
        where id = ${this.#id} returning generation`.execute(transaction);
      return rows[0]?.generation ?? 0;
    });
  }

  async #finishSnapshot(generation: number): Promise<void> {
    await this.#write(async (transaction) => {
      await transaction
        .updateTable('journals')
        .set({ snapshot: generation, writing: null })
        .where('id', '=', this.#id)
        .execute();
    });
  }

  problem(): string | undefined {
    return this.#isTakenOver ? takenOver(this.#name).message : undefined;
  }

  async close(): Promise<void> {}

  /** A transaction of whoever opened the journal last; another one's takeover waits for its end. */
  #write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#store.transaction(async (transaction) => {
      const lock = this.#store.dialect === 'postgres' ? sql`for share` : sql``;
      const { rows } = await sql<{ owner: string }>`
        select owner from journals where id = ${this.#id} ${lock}`.execute(transaction);
      if (rows[0]?.owner !== this.#owner) {
        this.#isTakenOver = true;
        throw takenOver(this.#name);
      }
      return work(transaction);
    });
  }
}

function takenOver(name: string): Error {
  return new Error(
    `another server has taken the journal over that is named ${name}: stop one of them, or give each server a node.name of its own`,
  );
}
