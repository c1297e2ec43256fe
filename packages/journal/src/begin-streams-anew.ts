import { sql, type QueryExecutorProvider, type RawBuilder } from 'kysely';

/**
 * Gives streams new epochs, for positions that clients know may be gone. Keys of maps stay.
 * @param journal - id; all journals where it is left out
 */
export async function beginStreamsAnew(
  transaction: QueryExecutorProvider,
  journal?: number,
): Promise<void> {
  const one = (column: string): RawBuilder<unknown> =>
    journal === undefined ? sql`true` : sql`${sql.ref(column)} = ${journal}`;
  await sql`update journals set snapshot = null where ${one('id')}`.execute(transaction);
  await sql`delete from journal_publications where channel_id in (
    select id from journal_channels where generation = 0 and ${one('journal')}
  )`.execute(transaction);
  await sql`update journal_channels set epoch = null
    where generation = 0 and ${one('journal')}`.execute(transaction);
}
