import type {
  ChannelRecord,
  JournaledEntry,
  JournaledPublication,
  JournaledResult,
  JournaledStream,
  MapRetention,
} from '@holdfast/hub';
import { inList, type Store, type StoreTransaction } from '@holdfast/store';
import { sql, type Selectable } from 'kysely';
import { decodeEntry, decodePublication } from './body.ts';
import type { JournalChannelTable, JournalTables } from './journal-module.ts';
import { fromStorable } from './storable-text.ts';

type Transaction = StoreTransaction<JournalTables>;

export type ChannelRow = Selectable<JournalChannelTable>;

export interface ReadingContext {
  readonly dialect: Store['dialect'];
  readonly now: number;
}

/** The channels of these rows with all that belongs to them, without what has expired. */
export async function readChannels(
  transaction: Transaction,
  { dialect, now }: ReadingContext,
  rows: readonly ChannelRow[],
): Promise<readonly ChannelRecord[]> {
  if (rows.length === 0) return [];
  const ids = inList(
    dialect,
    rows.map(({ id }) => id),
  );
  const publications = new Map<number, JournaledPublication[]>();
  const entries = new Map<number, JournaledEntry[]>();
  const results = new Map<number, JournaledResult[]>();

  const found = await sql<{ channel_id: number; body: Uint8Array }>`
    select p.channel_id, p.body from journal_publications p
    join journal_channels c on c.id = p.channel_id
    where c.id ${ids} and c.expire_at > ${now} and p.stream_offset >= c.oldest
    order by p.channel_id, p.stream_offset`.execute(transaction);
  for (const { channel_id: id, body } of found.rows) {
    add(publications, id, decodePublication(body) as JournaledPublication);
  }
  const keys = await sql<{ channel_id: number; body: Uint8Array }>`
    select channel_id, body from journal_entries where channel_id ${ids}`.execute(transaction);
  for (const { channel_id: id, body } of keys.rows) add(entries, id, decodeEntry(body));
  const remembered = await sql<{
    channel_id: number;
    idempotency_key: string;
    epoch: string | null;
    stream_offset: number;
    expire_at: number;
  }>`select channel_id, idempotency_key, epoch, stream_offset, expire_at from journal_results
    where channel_id ${ids} and expire_at > ${now}`.execute(transaction);
  for (const row of remembered.rows) {
    const { channel_id: id, epoch, stream_offset: offset } = row;
    add(results, id, {
      idempotencyKey: fromStorable(row.idempotency_key),
      ...(epoch !== null && { position: { offset, epoch } }),
      expireAt: row.expire_at,
    });
  }
  return rows.map((row) => {
    const ofChannel = entries.get(row.id) ?? [];
    const stream = streamOf(row);
    const isForgotten = stream && stream.forgetAt <= now && ofChannel.length === 0;
    return {
      channel: fromStorable(row.channel),
      ...(stream && !isForgotten && { stream }),
      ...(row.retention !== null && { retention: JSON.parse(row.retention) as MapRetention }),
      publications: isForgotten ? [] : (publications.get(row.id) ?? []),
      entries: ofChannel,
      results: results.get(row.id) ?? [],
    };
  });
}

function add<Item>(lists: Map<number, Item[]>, id: number, item: Item): void {
  const list = lists.get(id);
  if (list) list.push(item);
  else lists.set(id, [item]);
}

function streamOf(row: ChannelRow): JournaledStream | undefined {
  if (row.epoch === null) return undefined;
  return {
    epoch: row.epoch,
    top: row.top,
    oldest: row.oldest,
    version: row.version,
    versionEpoch: fromStorable(row.version_epoch),
    expireAt: row.expire_at,
    forgetAt: row.forget_at,
  };
}
