import type { ChannelChange } from '@holdfast/hub';
import { inList, type Store, type StoreTransaction } from '@holdfast/store';
import { sql } from 'kysely';
import { encodeBody } from './body.ts';
import { insertRows, type InsertPlan } from './insert-rows.ts';
import type { JournalTables } from './journal-module.ts';
import { toStorable } from './storable-text.ts';

type Transaction = StoreTransaction<JournalTables>;

export interface WritingContext {
  readonly dialect: Store['dialect'];
  readonly journal: number;
  /** 0 for kept channels. */
  readonly generation: number;
}

/** Rows below the oldest publication may lie there until there are this many of them. */
const garbageRows = 64;

const channelColumns = `journal, generation, channel, epoch, top, oldest, first_row, version,
  version_epoch, expire_at, forget_at, retention, keep_until, due_at`;

/** A first row of -1 stands for the one that is there. */
const channelUpdate = `on conflict (journal, generation, channel) do update set
  epoch = excluded.epoch, top = excluded.top, oldest = excluded.oldest,
  first_row = case when excluded.first_row < 0 then journal_channels.first_row else excluded.first_row end,
  version = excluded.version, version_epoch = excluded.version_epoch,
  expire_at = excluded.expire_at, forget_at = excluded.forget_at, retention = excluded.retention,
  keep_until = excluded.keep_until, due_at = excluded.due_at
  returning id, channel, first_row`;

interface WrittenChannel {
  readonly id: number;
  readonly channel: string;
  readonly first_row: number;
}

/** Writes changes, at most one for each channel. */
export async function writeChannels(
  transaction: Transaction,
  context: WritingContext,
  changes: readonly ChannelChange[],
): Promise<void> {
  const plan = (into: string, columns: number, ending: string): InsertPlan => ({
    dialect: context.dialect,
    into,
    columns,
    ending,
  });
  const written = await insertRows<WrittenChannel>(
    transaction,
    plan(`insert into journal_channels (${channelColumns})`, 14, channelUpdate),
    changes.map((change) => channelRow(change, context)),
  );
  const rows = new Map(written.map((row) => [row.channel, row]));
  const rowOf = ({ channel }: ChannelChange): WrittenChannel => {
    const row = rows.get(toStorable(channel));
    if (row === undefined) throw new Error(`the channel ${channel} was not written`);
    return row;
  };
  await dropReplaced(transaction, context, { changes, idOf: (change) => rowOf(change).id });
  await insertRows(
    transaction,
    plan(
      'insert into journal_publications (channel_id, stream_offset, body)',
      3,
      // Left behind by a stream that had been forgotten.
      'on conflict (channel_id, stream_offset) do update set body = excluded.body',
    ),
    changes.flatMap((change) =>
      change.publications
        .filter(({ offset }) => offset >= (change.stream?.oldest ?? 1))
        .map((publication) => [rowOf(change).id, publication.offset, encodeBody(publication)]),
    ),
  );
  await insertRows(
    transaction,
    plan(
      'insert into journal_entries (channel_id, entry_key, body)',
      3,
      'on conflict (channel_id, entry_key) do update set body = excluded.body',
    ),
    changes.flatMap((change) =>
      change.entries.map(({ publication, ...entry }) => [
        rowOf(change).id,
        toStorable(publication.key),
        encodeBody(publication, entry),
      ]),
    ),
  );
  await insertRows(
    transaction,
    plan(
      'insert into journal_results (channel_id, idempotency_key, epoch, stream_offset, expire_at)',
      5,
      `on conflict (channel_id, idempotency_key) do update set
        epoch = excluded.epoch, stream_offset = excluded.stream_offset, expire_at = excluded.expire_at`,
    ),
    changes.flatMap((change) =>
      change.results.map(({ idempotencyKey, position, expireAt }) => [
        rowOf(change).id,
        toStorable(idempotencyKey),
        position?.epoch ?? null,
        position?.offset ?? 0,
        moment(expireAt),
      ]),
    ),
  );
  for (const change of changes) await dropGarbage(transaction, change, rowOf(change));
}

function channelRow(change: ChannelChange, { journal, generation }: WritingContext): unknown[] {
  const { stream, retention, startsOver, keepUntil, results } = change;
  const kept = keepUntil === undefined ? null : moment(keepUntil);
  const dues = results.map(({ expireAt }) => moment(expireAt));
  if (stream && stream.oldest <= stream.top) dues.push(moment(stream.expireAt));
  if (kept !== null) dues.push(kept);
  return [
    journal,
    generation,
    toStorable(change.channel),
    stream?.epoch ?? null,
    stream?.top ?? 0,
    stream?.oldest ?? 1,
    startsOver ? (stream?.oldest ?? 1) : -1,
    stream?.version ?? 0,
    toStorable(stream?.versionEpoch ?? ''),
    moment(stream?.expireAt ?? 0),
    moment(stream?.forgetAt ?? 0),
    retention ? JSON.stringify(retention) : null,
    kept,
    generation === 0 && dues.length > 0 ? Math.min(...dues) : null,
  ];
}

/** Times that no configuration means seriously still have to fit. */
function moment(unix: number): number {
  return Math.min(Math.round(unix), Number.MAX_SAFE_INTEGER);
}

/** What channels that start over had before, and keys that are gone. */
async function dropReplaced(
  transaction: Transaction,
  { dialect }: WritingContext,
  {
    changes,
    idOf,
  }: {
    readonly changes: readonly ChannelChange[];
    readonly idOf: (change: ChannelChange) => number;
  },
): Promise<void> {
  const restarted = changes.filter(({ startsOver }) => startsOver).map(idOf);
  if (restarted.length > 0) {
    for (const table of ['journal_publications', 'journal_entries'] as const) {
      await sql`delete from ${sql.table(table)}
        where channel_id ${inList(dialect, restarted)}`.execute(transaction);
    }
  }
  for (const change of changes) {
    if (change.removedKeys.length === 0) continue;
    const keys = change.removedKeys.map(toStorable);
    await sql`delete from journal_entries
      where channel_id = ${idOf(change)} and entry_key ${inList(dialect, keys)}`.execute(
      transaction,
    );
  }
}

/** Publications that nobody can read any more, many at a time; all of them when none is left to read. */
async function dropGarbage(
  transaction: Transaction,
  { stream }: ChannelChange,
  { id, first_row: firstRow }: WrittenChannel,
): Promise<void> {
  if (stream === undefined || stream.oldest <= firstRow) return;
  const isEmpty = stream.oldest > stream.top;
  if (!isEmpty && stream.oldest - firstRow < garbageRows) return;
  await sql`delete from journal_publications
    where channel_id = ${id} and stream_offset < ${stream.oldest}`.execute(transaction);
  await sql`update journal_channels set first_row = ${stream.oldest} where id = ${id}`.execute(
    transaction,
  );
}
