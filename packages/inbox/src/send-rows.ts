import { inList, insertRows, StoreError, type Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import type { SendState, SendTable } from './inbox-module.ts';
import type { InboxTransaction } from './mailbox.ts';

/** What became of a send. */
export interface SendStatus {
  readonly id: string;
  /** `collecting` recipients, `scheduled` for later, `running`, `done`, `cancelled`. */
  readonly state: SendState;
  readonly topic: string | null;
  readonly sendAt: number;
  /** Those known so far. */
  readonly recipients: number;
  /** Notifications stored so far. */
  readonly created: number;
  /** Recipients who want nothing of this category, and all whom it reached only after it had expired. */
  readonly muted: number;
  readonly createdAt: number;
  readonly finishedAt: number | null;
  /** Notifications that a recall has removed so far. Those that were gone already are not among them. */
  readonly recalled: number;
  /** When a recall had removed the last one; null: nobody asked, or it broke off, and can be repeated. */
  readonly recalledAt: number | null;
}

/** What became of a request to send. */
export interface SendResult extends SendStatus {
  /** The key was used before: this is what that request did. */
  readonly repeated: boolean;
}

/** A send before anything is done for it. */
export type SendDraft = Pick<
  SendTable,
  'id' | 'idempotency_key' | 'fingerprint' | 'content' | 'topic' | 'send_at' | 'created_at'
>;

/** The row of a send of which nothing is done yet. */
export function rowOf(draft: SendDraft, state: SendState): SendTable {
  return {
    ...draft,
    state,
    cursor: '',
    recipients: 0,
    created: 0,
    muted: 0,
    finished_at: null,
    recalled: 0,
    recalled_at: null,
  };
}

/**
 * Inserts sends, except those whose idempotency key is taken: by a stored one, or by one before them.
 * @returns who has the key, by the id of the one that was not inserted
 */
export async function insertSends(
  trx: InboxTransaction,
  dialect: Store['dialect'],
  rows: readonly SendTable[],
): Promise<ReadonlyMap<string, SendTable>> {
  // In one order for all, so that two groups with the same keys never wait for each other crosswise.
  const ordered = rows.toSorted(byKey);
  const { rows: inserted } = await sql<Pick<SendTable, 'id'>>`
    ${insertRows(dialect, 'inbox_sends', ordered)}
    on conflict (idempotency_key) do nothing
    returning id`.execute(trx);
  if (inserted.length === rows.length) return new Map();
  const ids = new Set(inserted.map(({ id }) => id));
  const refused = rows.filter(({ id }) => !ids.has(id));
  const keys = refused.flatMap((row) => row.idempotency_key ?? []);
  const found = await trx
    .selectFrom('inbox_sends')
    .selectAll()
    .where(sql<SqlBool>`idempotency_key ${inList(dialect, keys)}`)
    .execute();
  const holders = new Map(found.map((row) => [row.idempotency_key, row]));
  return new Map(
    refused.map(({ id, idempotency_key: key }) => {
      const holder = holders.get(key);
      if (holder !== undefined) return [id, holder];
      // Retention deleted it in this moment. The store tries the transaction again.
      throw new StoreError('store_conflict', 'a send was deleted while its key was looked for');
    }),
  );
}

/**
 * Forgets recipients of sends that will not go to them any more.
 * @returns how many, up to the limit
 */
export async function deleteRecipients(
  trx: InboxTransaction,
  options: {
    readonly dialect: Store['dialect'];
    readonly sendIds: readonly string[];
    readonly limit: number;
  },
): Promise<number> {
  const { dialect, sendIds, limit } = options;
  const some = trx
    .selectFrom('inbox_send_recipients')
    .select(['send_id', 'user_id'])
    .where(sql<SqlBool>`send_id ${inList(dialect, sendIds)}`)
    .limit(limit);
  const result = await trx
    .deleteFrom('inbox_send_recipients')
    .where((where) =>
      where(where.refTuple('send_id', 'user_id'), 'in', some.$asTuple('send_id', 'user_id')),
    )
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}

/**
 * Deletes sends that nobody needs to remember: first the recipients that are left of them, up to the
 * limit, and when no more are left, the sends.
 * @returns how many rows
 */
export async function deleteSends(
  trx: InboxTransaction,
  options: Parameters<typeof deleteRecipients>[1],
): Promise<number> {
  const { dialect, sendIds, limit } = options;
  const recipients = await deleteRecipients(trx, options);
  if (recipients >= limit) return recipients;
  await trx
    .deleteFrom('inbox_sends')
    .where(sql<SqlBool>`id ${inList(dialect, sendIds)}`)
    .execute();
  return Math.min(recipients + sendIds.length, limit);
}

/** The error of a request whose key belongs to one that said something else. */
export function conflictOf(holder: SendTable, draft: SendDraft): InboxError | undefined {
  if (holder.fingerprint === draft.fingerprint) return undefined;
  return new InboxError(
    'inbox_idempotency_conflict',
    'this idempotencyKey was used before, for a request that said something else',
  );
}

/**
 * What the sender is told.
 * @param holder the send that has the key of this one
 */
export function toResult(row: SendTable, holder: SendTable | undefined): SendResult {
  return { ...toStatus(holder ?? row), repeated: holder !== undefined };
}

/** How far a stored send is. */
export function toStatus(row: SendTable): SendStatus {
  return {
    id: row.id,
    state: row.state,
    topic: row.topic,
    sendAt: row.send_at,
    recipients: row.recipients,
    created: row.created,
    muted: row.muted,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
    recalled: row.recalled,
    recalledAt: row.recalled_at,
  };
}

function byKey(a: SendTable, b: SendTable): number {
  const [first, second] = [a.idempotency_key ?? '', b.idempotency_key ?? ''];
  return first < second ? -1 : Number(first > second);
}
