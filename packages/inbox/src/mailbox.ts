import type {
  InboxEvent,
  Notification,
  RemovalReason,
  UnreadCounts,
} from '@holdfast/protocol/inbox';
import { inList, insertRows, type Store, type StoreTransaction } from '@holdfast/store';
import { sql, type Expression, type SqlBool } from 'kysely';
import type { InboxTables, MailboxTable, NotificationTable } from './inbox-module.ts';
import type { InboxSettings } from './options.ts';

/** A transaction, or a read, of the store that sees the inbox's tables. */
export type InboxTransaction = StoreTransaction<InboxTables>;

/** Categories in one event, those with the most unread: as many as a user can have wishes for. */
const maxCountedCategories = 200;

/** An event before its place among the user's events is known. */
export type EventBody = InboxEvent extends infer Event
  ? Event extends InboxEvent
    ? Omit<Event, 'version' | 'unread'>
    : never
  : never;

/** What a change of a user's settings did. */
export interface SettingResult {
  /** Of the user's inbox; the events up to it contain the change. */
  readonly version: number;
}

type SettingBody = Extract<
  EventBody,
  { readonly type: 'preferences' | 'subscribed' | 'unsubscribed' }
>;

/**
 * Changes of users' inboxes, each as one transaction with its event. The rules are in
 * `inbox.spec.md`: the mailbox row is locked before anything else of the user is changed, so that
 * changes of one user come one after another and each version has exactly one event.
 */
export class Mailboxes {
  readonly #store: Store<InboxTables>;
  readonly #settings: InboxSettings;

  constructor(store: Store<InboxTables>, settings: InboxSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  /**
   * Locks the inboxes of some users.
   * @returns the versions of those in which there has ever been anything
   */
  async lock(
    trx: InboxTransaction,
    users: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    let query = trx
      .selectFrom('inbox_mailboxes')
      .selectAll()
      .where(sql<SqlBool>`user_id ${inList(this.#store.dialect, users)}`);
    // In the order of `raise`, so that two of them never wait for each other crosswise.
    if (this.#store.dialect === 'postgres') query = query.orderBy('user_id').forUpdate();
    const rows = await query.execute();
    return new Map(rows.map((row) => [row.user_id, row.version]));
  }

  /** Locks a user's inbox, making one when there has never been anything in it. */
  async claim(trx: InboxTransaction, user: string): Promise<number> {
    await trx
      .insertInto('inbox_mailboxes')
      .values({ user_id: user, version: 0 })
      .onConflict((conflict) => conflict.column('user_id').doNothing())
      .execute();
    return (await this.lock(trx, [user])).get(user) ?? 0;
  }

  /**
   * Locks the inboxes of several users, making those that are not there, and raises their versions:
   * by one for each time that a user is named.
   * @returns each user's version after it
   */
  async raise(
    trx: InboxTransaction,
    users: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    if (users.length === 0) return new Map();
    const times = new Map<string, number>();
    // In one order for all, so that two batches never wait for each other crosswise.
    for (const user of users.toSorted()) times.set(user, (times.get(user) ?? 0) + 1);
    const raises = [...times].map(([user, version]) => ({ user_id: user, version }));
    const { rows } = await sql<MailboxTable>`
      ${insertRows(this.#store.dialect, 'inbox_mailboxes', raises)}
      on conflict (user_id) do update set version = inbox_mailboxes.version + excluded.version
      returning user_id, version`.execute(trx);
    return new Map(rows.map((row) => [row.user_id, row.version]));
  }

  /** Unread notifications of each user, now. */
  async countUnread(
    trx: InboxTransaction,
    users: readonly string[],
    now: number,
  ): Promise<ReadonlyMap<string, UnreadCounts>> {
    const counts = new Map<string, { total: number; byCategory: Record<string, number> }>();
    for (const user of users) counts.set(user, { total: 0, byCategory: {} });
    if (users.length === 0) return counts;
    const rows = await trx
      .selectFrom('inbox_notifications')
      .select((row) => ['user_id', 'category', row.fn.countAll<number>().as('count')])
      .where(sql<SqlBool>`user_id ${inList(this.#store.dialect, users)}`)
      .where('read_at', 'is', null)
      .where('archived_at', 'is', null)
      .where(isVisible(now))
      .groupBy(['user_id', 'category'])
      .orderBy('category')
      .execute();
    for (const { user_id: user, category, count } of rows) {
      const one = counts.get(user);
      if (one === undefined) continue;
      one.total += count;
      one.byCategory[category] = count;
    }
    return counts;
  }

  /** Appends an event to the user's channel, with the counts of as many categories as fit. */
  announce(trx: InboxTransaction, user: string, event: InboxEvent): void {
    const data = { ...event, unread: bounded(event.unread) };
    this.#store.outbox.append(trx, { channel: this.#settings.channelOf(user), data });
  }

  /**
   * Raises the user's version and announces a change that is of no notification. The mailbox must be
   * locked.
   * @returns the version after it
   */
  async announceSetting(
    trx: InboxTransaction,
    user: string,
    setting: SettingBody,
  ): Promise<number> {
    const unread = await this.unreadOf(trx, user, this.#store.clock.now());
    const version = (await this.raise(trx, [user])).get(user) ?? 0;
    this.announce(trx, user, { ...setting, unread, version });
    return version;
  }

  /** Unread notifications of one user, with as many categories as an event has. */
  async unreadOf(trx: InboxTransaction, user: string, now: number): Promise<UnreadCounts> {
    const counts = await this.countUnread(trx, [user], now);
    return bounded(counts.get(user) ?? noneUnread);
  }

  /**
   * Deletes notifications of any users, and tells each user.
   * @returns how many were still there
   */
  async remove(
    trx: InboxTransaction,
    found: readonly { readonly id: string; readonly user_id: string }[],
    options: { readonly reason: RemovalReason; readonly now: number },
  ): Promise<number> {
    if (found.length === 0) return 0;
    const users = [...new Set(found.map((row) => row.user_id))];
    const versions = await this.raise(trx, users);
    const ids = found.map((row) => row.id);
    const deleted = await sql<{ id: string; user_id: string; in_app: number }>`
      delete from inbox_notifications where id ${inList(this.#store.dialect, ids)}
      returning id, user_id, in_app`.execute(trx);
    const unread = await this.countUnread(trx, users, options.now);
    const visible = deleted.rows.filter((row) => row.in_app === 1);
    const byUser = Map.groupBy(visible, (row) => row.user_id);
    for (const user of users) {
      this.announce(trx, user, {
        type: 'removed',
        ids: (byUser.get(user) ?? []).map((row) => row.id),
        reason: options.reason,
        version: versions.get(user) ?? 0,
        unread: unread.get(user) ?? noneUnread,
      });
    }
    return deleted.rows.length;
  }
}

/** Counts of an inbox without anything unread. */
export const noneUnread: UnreadCounts = { total: 0, byCategory: {} };

/** Categories are free: with one for each of a thousand notifications no event would hold the counts. */
function bounded(unread: UnreadCounts): UnreadCounts {
  const counts = Object.entries(unread.byCategory);
  if (counts.length <= maxCountedCategories) return unread;
  const most = counts.toSorted(([, a], [, b]) => b - a).slice(0, maxCountedCategories);
  return { total: unread.total, byCategory: Object.fromEntries(most) };
}

/** Counts after `more` (or, below zero, fewer) of a category are unread. */
export function withMore(unread: UnreadCounts, category: string, more: number): UnreadCounts {
  // An object has members of its own that are no categories, `constructor` for one.
  const before = Object.hasOwn(unread.byCategory, category) ? unread.byCategory[category] : 0;
  const { [category]: _, ...others } = unread.byCategory;
  const count = (before ?? 0) + more;
  const byCategory = count > 0 ? { ...others, [category]: count } : others;
  return { total: unread.total + more, byCategory };
}

/** What users see: not only sent elsewhere, not expired. */
export function isVisible(now: number): Expression<SqlBool> {
  return sql<SqlBool>`in_app = 1 and (expires_at is null or expires_at > ${now})`;
}

/** What users and applications see of a stored notification. */
export function toNotification(row: NotificationTable): Notification {
  return {
    id: row.id,
    category: row.category,
    severity: row.severity,
    title: row.title,
    body: row.body,
    link: row.link,
    source: row.source,
    data: row.data === null ? null : (JSON.parse(row.data) as unknown),
    groupKey: row.group_key,
    groupCount: row.group_count,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    readAt: row.read_at,
    archivedAt: row.archived_at,
  };
}
