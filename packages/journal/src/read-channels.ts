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

/** Publications read at once: what one statement gives back holds up everything else in the process. */
const publicationsPerRead = 2000;

/** How often channels that are cleaned up meanwhile are read again. */
const maxReadings = 3;

/** Finds the rows of the channels to be read. */
export type FindRows = (db: Transaction) => Promise<readonly ChannelRow[]>;

/**
 * The channels of these rows with all that belongs to them, without what has expired: in one
 * transaction, or in several where there are too many publications for one. Nobody else may be
 * writing to their journal.
 */
export async function readChannels(
  store: Store<JournalTables>,
  findRows: FindRows,
): Promise<readonly ChannelRecord[]> {
  for (let reading = 1; reading <= maxReadings; reading += 1) {
    const records = await readOnce(store, findRows);
    if (records !== undefined) return records;
  }
  throw new Error('the channels of the journal were changed while they were read');
}

/** @returns undefined when some of it was cleaned up between two transactions */
async function readOnce(
  store: Store<JournalTables>,
  findRows: FindRows,
): Promise<readonly ChannelRecord[] | undefined> {
  const { dialect } = store;
  const now = store.clock.now();
  const publications = new Map<number, JournaledPublication[]>();
  const readInto = async (db: Transaction, span: Span): Promise<void> => {
    for (const { channel_id: id, body } of await readSpan(db, dialect, span)) {
      add(publications, id, decodePublication(body) as JournaledPublication);
    }
  };
  const context = { dialect, now, publications };
  const begun = await store.read(async (db) => {
    const rows = await findRows(db);
    const spans = spansOf(rows.filter((row) => row.expire_at > now));
    if (spans.length > 1) return { rows, spans };
    for (const span of spans) await readInto(db, span);
    return { records: await readParts(db, context, rows) };
  });
  if ('records' in begun) return begun.records;
  const { rows, spans } = begun;
  for (const span of spans) {
    // Others have their turn in between.
    await new Promise((resolve) => setImmediate(resolve));
    await store.read((db) => readInto(db, span));
  }
  return store.read(async (db) => {
    if (!(await areUnchanged(db, dialect, rows))) return undefined;
    return readParts(db, context, rows);
  });
}

/** Offsets of some channels: of many short streams all, of a long one a part. */
interface Span {
  readonly ids: number[];
  readonly part?: { readonly from: number; readonly to: number };
}

function spansOf(rows: readonly ChannelRow[]): readonly Span[] {
  const spans: Span[] = [];
  let short: number[] = [];
  let publications = 0;
  for (const { id, epoch, oldest, top } of rows) {
    const length = epoch === null ? 0 : top - oldest + 1;
    if (length > publicationsPerRead) {
      for (let from = oldest; from <= top; from += publicationsPerRead) {
        spans.push({ ids: [id], part: { from, to: from + publicationsPerRead - 1 } });
      }
      continue;
    }
    if (publications + length > publicationsPerRead) {
      spans.push({ ids: short });
      short = [];
      publications = 0;
    }
    if (length > 0) short.push(id);
    publications += length;
  }
  if (short.length > 0) spans.push({ ids: short });
  return spans;
}

async function readSpan(
  db: Transaction,
  dialect: Store['dialect'],
  { ids, part }: Span,
): Promise<readonly { readonly channel_id: number; readonly body: Uint8Array }[]> {
  const offsets =
    part === undefined
      ? sql`p.stream_offset >= c.oldest`
      : sql`p.stream_offset between ${part.from} and ${part.to}`;
  const { rows } = await sql<{ channel_id: number; body: Uint8Array }>`
    select p.channel_id, p.body from journal_publications p
    join journal_channels c on c.id = p.channel_id
    where c.id ${inList(dialect, ids)} and ${offsets}
    order by p.channel_id, p.stream_offset`.execute(db);
  return rows;
}

/** Whether the streams are as they were, so that what was read in steps belongs together. */
async function areUnchanged(
  db: Transaction,
  dialect: Store['dialect'],
  rows: readonly ChannelRow[],
): Promise<boolean> {
  const ids = inList(
    dialect,
    rows.map(({ id }) => id),
  );
  const { rows: found } = await sql<Pick<ChannelRow, 'id' | (typeof streamColumns)[number]>>`
    select id, epoch, top, oldest, first_row from journal_channels where id ${ids}`.execute(db);
  const byId = new Map(found.map((row) => [row.id, row]));
  return rows.every((row) =>
    streamColumns.every((column) => byId.get(row.id)?.[column] === row[column]),
  );
}

/** Differ after a channel was written or cleaned up. */
const streamColumns = ['epoch', 'top', 'oldest', 'first_row'] as const;

interface PartsContext {
  readonly dialect: Store['dialect'];
  readonly now: number;
  /** By channel. */
  readonly publications: ReadonlyMap<number, readonly JournaledPublication[]>;
}

/** What belongs to the channels besides their publications, and all of it together. */
async function readParts(
  transaction: Transaction,
  { dialect, now, publications }: PartsContext,
  rows: readonly ChannelRow[],
): Promise<readonly ChannelRecord[]> {
  if (rows.length === 0) return [];
  const ids = inList(
    dialect,
    rows.map(({ id }) => id),
  );
  const entries = new Map<number, JournaledEntry[]>();
  const results = new Map<number, JournaledResult[]>();
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
