import { inList, type RetentionJob, type Store, type StoreTransaction } from '@holdfast/store';
import { sql } from 'kysely';
import { partTables, type JournalTables } from './journal-module.ts';

type Transaction = StoreTransaction<JournalTables>;

/**
 * Deletes what has expired, and snapshots that were used or never finished: of all journals, also of
 * those whose server will never come back.
 */
export function cleanUpJob(dialect: Store['dialect']): RetentionJob<JournalTables> {
  return {
    name: 'journals',
    async deleteBatch(transaction, { now, limit }) {
      const cleaned = await cleanDue(transaction, { dialect, now, limit });
      return cleaned < limit
        ? cleaned + (await dropSnapshots(transaction, dialect, limit - cleaned))
        : cleaned;
    },
  };
}

interface DueChannel {
  readonly id: number;
  readonly expire_at: number;
  readonly keep_until: number | null;
}

async function cleanDue(
  transaction: Transaction,
  {
    dialect,
    now,
    limit,
  }: { readonly dialect: Store['dialect']; readonly now: number; readonly limit: number },
): Promise<number> {
  // Whoever writes to one of them right now decides itself when it is due again.
  const lock = dialect === 'postgres' ? sql`for update skip locked` : sql``;
  const { rows } = await sql<DueChannel>`
    select id, expire_at, keep_until from journal_channels
    where due_at <= ${now} order by due_at limit ${limit} ${lock}`.execute(transaction);
  const idsOf = (channels: readonly DueChannel[]): ReturnType<typeof inList> =>
    inList(
      dialect,
      channels.map(({ id }) => id),
    );
  const expired = rows.filter((row) => row.expire_at <= now);
  if (expired.length > 0) {
    await sql`delete from journal_publications where channel_id ${idsOf(expired)}`.execute(
      transaction,
    );
  }
  if (rows.length > 0) {
    await sql`delete from journal_results
      where channel_id ${idsOf(rows)} and expire_at <= ${now}`.execute(transaction);
    await sql`update journal_channels set
      first_row = case when expire_at <= ${now} then top + 1 else first_row end,
      due_at = (
        select min(due) from (
          select keep_until as due
          union all select case when expire_at > ${now} then expire_at end
          union all select min(r.expire_at) from journal_results r where r.channel_id = journal_channels.id
        ) dues where due > ${now}
      )
      where id ${idsOf(rows)}`.execute(transaction);
  }
  const over = rows.filter(({ keep_until: until }) => until !== null && until <= now);
  if (over.length > 0) {
    const { rows: remembered } = await sql<{ channel_id: number }>`
      select distinct channel_id from journal_results where channel_id ${idsOf(over)}`.execute(
      transaction,
    );
    const busy = new Set(remembered.map(({ channel_id: id }) => id));
    const ids = over.filter(({ id }) => !busy.has(id)).map(({ id }) => id);
    await dropChannels(transaction, dialect, ids);
  }
  return rows.length;
}

/** Channels of snapshots that nobody will read, and of journals that are no more. */
async function dropSnapshots(
  transaction: Transaction,
  dialect: Store['dialect'],
  limit: number,
): Promise<number> {
  let dropped = 0;
  // From one journal to the next through the index, however many channels they have.
  for (let after = 0; dropped < limit;) {
    const { rows: next } = await sql<{ journal: number | null }>`
      select min(journal) as journal from journal_channels
      where journal > ${after}`.execute(transaction);
    const journal = next[0]?.journal ?? null;
    if (journal === null) break;
    after = journal;
    const { rows: found } = await sql<{ snapshot: number | null; writing: number | null }>`
      select snapshot, writing from journals where id = ${journal}`.execute(transaction);
    const [owner] = found;
    const { rows } = await sql<{ id: number }>`
      select id from journal_channels where journal = ${journal}
        and generation >= ${owner ? 1 : 0} and generation <> ${owner?.snapshot ?? -1}
        and generation <> ${owner?.writing ?? -1}
      limit ${limit - dropped}`.execute(transaction);
    await dropChannels(
      transaction,
      dialect,
      rows.map(({ id }) => id),
    );
    dropped += rows.length;
  }
  return dropped;
}

async function dropChannels(
  transaction: Transaction,
  dialect: Store['dialect'],
  ids: readonly number[],
): Promise<void> {
  if (ids.length === 0) return;
  for (const table of partTables) {
    await sql`delete from ${sql.table(table)}
      where channel_id ${inList(dialect, ids)}`.execute(transaction);
  }
  await sql`delete from journal_channels where id ${inList(dialect, ids)}`.execute(transaction);
}
