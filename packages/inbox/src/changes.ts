import type { UnreadCounts } from '@holdfast/protocol/inbox';
import { inList, type Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import type { InboxTables, NotificationTable } from './inbox-module.ts';
import { isVisible, toNotification, type InboxTransaction, type Mailboxes } from './mailbox.ts';
import { checkId, checkName, checkPlace } from './notification.ts';

/** What a user's operation did. Doing it again changes nothing and says so. */
export interface ChangeResult {
  readonly changed: readonly string[];
  /** Ids that are not the user's, or no longer there. */
  readonly notFound: readonly string[];
  readonly unread: UnreadCounts;
  readonly version: number;
}

/** Most ids of one operation. */
export const maxChangeIds = 500;

type Row = NotificationTable;

/** What users do with their notifications. All operations are idempotent. */
export class Changes {
  readonly #store: Store<InboxTables>;
  readonly #mailboxes: Mailboxes;

  constructor(store: Store<InboxTables>, mailboxes: Mailboxes) {
    this.#store = store;
    this.#mailboxes = mailboxes;
  }

  markRead(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, {
      applies: (row) => row.read_at === null,
      set: (now) => ({ read_at: now, escalate_at: null }),
      body: (changed, now) => ({ type: 'read', ids: changed, readAt: now }),
    });
  }

  markUnread(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, {
      applies: (row) => row.read_at !== null,
      set: () => ({ read_at: null }),
      body: (changed) => ({ type: 'unread', ids: changed }),
    });
  }

  archive(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, {
      applies: (row) => row.archived_at === null,
      set: (now) => ({ archived_at: now, escalate_at: null }),
      body: (changed) => ({ type: 'removed', ids: changed, reason: 'archived' }),
    });
  }

  unarchive(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, {
      applies: (row) => row.archived_at !== null,
      set: () => ({ archived_at: null }),
      body: (changed, _now, rows) => ({
        type: 'unarchived',
        notifications: rows
          .filter((row) => changed.includes(row.id))
          .map((row) => toNotification({ ...row, archived_at: null })),
      }),
    });
  }

  delete(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, {
      applies: () => true,
      set: () => undefined,
      body: (changed) => ({ type: 'removed', ids: changed, reason: 'deleted' }),
    });
  }

  /**
   * Marks everything as read that is unread, up to and including `upTo` and of one category where
   * these are given: so that what arrives while the user clicks stays unread.
   */
  async readAll(
    user: string,
    options: { readonly upTo?: string; readonly category?: string } = {},
  ): Promise<Omit<ChangeResult, 'notFound'>> {
    checkId('user', user);
    const { upTo, category } = options;
    if (upTo !== undefined) checkPlace('upTo', upTo, 'the id of a notification');
    if (category !== undefined) checkName('category', category);
    return this.#store.transaction(async (trx) => {
      const now = this.#store.clock.now();
      const before = await this.#mailboxes.lock(trx, user);
      let query = trx
        .updateTable('inbox_notifications')
        .set({ read_at: now, escalate_at: null })
        .where('user_id', '=', user)
        .where('read_at', 'is', null)
        .where('archived_at', 'is', null)
        .where(isVisible(now));
      if (upTo !== undefined) query = query.where('id', '<=', upTo);
      if (category !== undefined) query = query.where('category', '=', category);
      const ids = (await query.returning('id').execute()).map((row) => row.id);
      return this.#announce(trx, user, {
        ids,
        now,
        before,
        body: (changed) => ({ type: 'read', ids: changed, readAt: now }),
      });
    });
  }

  async #change(
    user: string,
    ids: readonly string[],
    kind: {
      readonly applies: (row: Row) => boolean;
      /** Undefined deletes. */
      readonly set: (now: number) => Partial<Row> | undefined;
      readonly body: (ids: readonly string[], now: number, rows: readonly Row[]) => Body;
    },
  ): Promise<ChangeResult> {
    checkId('user', user);
    const wanted = checkIds(ids);
    return this.#store.transaction(async (trx) => {
      const now = this.#store.clock.now();
      const before = await this.#mailboxes.lock(trx, user);
      const rows = await trx
        .selectFrom('inbox_notifications')
        .selectAll()
        .where('user_id', '=', user)
        .where(sql<SqlBool>`id ${inList(this.#store.dialect, wanted)}`)
        .where(isVisible(now))
        .execute();
      const changed = rows.filter((row) => kind.applies(row)).map((row) => row.id);
      if (changed.length > 0) await this.#apply(trx, changed, kind.set(now));
      const result = await this.#announce(trx, user, {
        ids: changed,
        now,
        before,
        body: (some) => kind.body(some, now, rows),
      });
      const found = new Set(rows.map((row) => row.id));
      return { ...result, notFound: wanted.filter((id) => !found.has(id)) };
    });
  }

  async #apply(
    trx: InboxTransaction,
    ids: readonly string[],
    set: Partial<Row> | undefined,
  ): Promise<void> {
    const isOne = sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`;
    await (set === undefined
      ? trx.deleteFrom('inbox_notifications').where(isOne).execute()
      : trx.updateTable('inbox_notifications').set(set).where(isOne).execute());
  }

  async #announce(
    trx: InboxTransaction,
    user: string,
    change: {
      readonly ids: readonly string[];
      readonly now: number;
      readonly before: number | undefined;
      readonly body: (ids: readonly string[]) => Body;
    },
  ): Promise<Omit<ChangeResult, 'notFound'>> {
    const { ids: changed, now } = change;
    if (changed.length === 0) {
      const unread = await this.#mailboxes.unreadOf(trx, user, now);
      return { changed, unread, version: change.before ?? 0 };
    }
    return { changed, ...(await this.#mailboxes.announceIds(trx, user, change)) };
  }
}

type Body = ReturnType<Parameters<Mailboxes['announceIds']>[2]['body']>;

export function checkIds(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > maxChangeIds) {
    throw new InboxError('inbox_invalid', `ids must be 1 to ${maxChangeIds} ids`);
  }
  return [...new Set(ids.map((id: string) => checkId('ids', id)))];
}
