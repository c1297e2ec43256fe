import type { StoreModule } from '@holdfast/store';
import { sql, type Generated } from 'kysely';
import { beginStreamsAnew } from './begin-streams-anew.ts';

/** One broker's journal. */
export interface JournalTable {
  readonly id: Generated<number>;
  readonly name: string;
  /** Whoever opened it last; nobody else writes. */
  readonly owner: string;
  /** Generation of the finished snapshot that nobody has used yet. */
  readonly snapshot: number | null;
  /** Generation that is being written. */
  readonly writing: number | null;
  /** The highest generation ever used. */
  readonly generation: number;
  /** Of the machine while commits may get lost with its power; absent when they do not. */
  readonly boot: string | null;
}

/** A channel of a journal, kept (`generation` 0) or in a snapshot. Times are Unix milliseconds. */
export interface JournalChannelTable {
  readonly id: Generated<number>;
  readonly journal: number;
  readonly generation: number;
  readonly channel: string;
  /** Absent without a stream, and with it the six below mean nothing. */
  readonly epoch: string | null;
  readonly top: number;
  readonly oldest: number;
  /** Offset from which on publications may be in the table; those below `oldest` are garbage. */
  readonly first_row: number;
  readonly version: number;
  readonly version_epoch: string;
  readonly expire_at: number;
  readonly forget_at: number;
  /** JSON of the hub's `MapRetention`; absent for channels that are no maps. */
  readonly retention: string | null;
  /** When nothing of the channel is needed any more; absent while it has keys. */
  readonly keep_until: number | null;
  /** When there is something to clean up; absent for never. */
  readonly due_at: number | null;
}

export interface JournalPublicationTable {
  readonly channel_id: number;
  readonly stream_offset: number;
  /** See `body.ts`. */
  readonly body: Uint8Array;
}

export interface JournalEntryTable {
  readonly channel_id: number;
  readonly entry_key: string;
  readonly body: Uint8Array;
}

/** What a repetition of a publish is answered with. */
export interface JournalResultTable {
  readonly channel_id: number;
  readonly idempotency_key: string;
  readonly epoch: string | null;
  readonly stream_offset: number;
  readonly expire_at: number;
}

/** The tables of {@link journalModule}. */
export interface JournalTables {
  journals: JournalTable;
  journal_channels: JournalChannelTable;
  journal_publications: JournalPublicationTable;
  journal_entries: JournalEntryTable;
  journal_results: JournalResultTable;
}

/** Tables whose rows belong to a channel. */
export const partTables = ['journal_publications', 'journal_entries', 'journal_results'] as const;

/** The journals' tables; pass it to `openStore`. */
export const journalModule: StoreModule = {
  name: 'journal',
  migrations: [
    {
      name: 'journals, channels and what is in them',
      async up({ db, createTable, types: { text, integer, bytes, sequence } }) {
        const required = <Column extends { notNull(): Column }>(column: Column): Column =>
          column.notNull();
        await createTable('journals')
          .addColumn('id', integer, sequence)
          .addColumn('name', text, (column) => column.notNull().unique())
          .addColumn('owner', text, required)
          .addColumn('snapshot', integer)
          .addColumn('writing', integer)
          .addColumn('generation', integer, required)
          .execute();
        await createTable('journal_channels')
          .addColumn('id', integer, sequence)
          .addColumn('journal', integer, required)
          .addColumn('generation', integer, required)
          .addColumn('channel', text, required)
          .addColumn('epoch', text)
          .addColumn('top', integer, required)
          .addColumn('oldest', integer, required)
          .addColumn('first_row', integer, required)
          .addColumn('version', integer, required)
          .addColumn('version_epoch', text, required)
          .addColumn('expire_at', integer, required)
          .addColumn('forget_at', integer, required)
          .addColumn('retention', text)
          .addColumn('keep_until', integer)
          .addColumn('due_at', integer)
          .addUniqueConstraint('journal_channels_name', ['journal', 'generation', 'channel'])
          .execute();
        await db.schema
          .createIndex('journal_channels_due')
          .on('journal_channels')
          .column('due_at')
          .execute();
        await createTable('journal_publications')
          .addColumn('channel_id', integer, required)
          .addColumn('stream_offset', integer, required)
          .addColumn('body', bytes, required)
          .addPrimaryKeyConstraint('journal_publications_pk', ['channel_id', 'stream_offset'])
          .execute();
        await createTable('journal_entries')
          .addColumn('channel_id', integer, required)
          .addColumn('entry_key', text, required)
          .addColumn('body', bytes, required)
          .addPrimaryKeyConstraint('journal_entries_pk', ['channel_id', 'entry_key'])
          .execute();
        await createTable('journal_results')
          .addColumn('channel_id', integer, required)
          .addColumn('idempotency_key', text, required)
          .addColumn('epoch', text)
          .addColumn('stream_offset', integer, required)
          .addColumn('expire_at', integer, required)
          .addPrimaryKeyConstraint('journal_results_pk', ['channel_id', 'idempotency_key'])
          .execute();
      },
    },
    {
      name: 'boots',
      async up({ db, types }) {
        await db.schema.alterTable('journals').addColumn('boot', types.text).execute();
      },
    },
  ],
  beginAnew: (db) => beginStreamsAnew(db),
  checks: [
    {
      name: 'parts of channels',
      async find(db) {
        const problems: string[] = [];
        for (const table of partTables) {
          const { rows } = await sql<{ channel_id: number }>`
            select distinct channel_id from ${sql.table(table)}
            where channel_id not in (select id from journal_channels) limit 10`.execute(db);
          for (const { channel_id: id } of rows)
            problems.push(`${table} has rows of channel ${id}, which is not there`);
        }
        return problems;
      },
    },
    {
      name: 'streams without a gap',
      async find(db) {
        const { rows } = await sql<{ channel: string }>`
          select channel from journal_channels
          where epoch is not null and generation = 0 and (
            select count(*) from journal_publications
            where channel_id = journal_channels.id and stream_offset >= oldest
          ) not in (0, top - oldest + 1) limit 10`.execute(db);
        return rows.map(({ channel }) => `publications of ${channel} are missing`);
      },
    },
  ],
};
