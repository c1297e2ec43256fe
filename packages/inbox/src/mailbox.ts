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

export type InboxTransaction = StoreTransaction<InboxTables>;

/** Ids in one event: 64 KiB hold more than a thousand, and one is plenty for a screen. */
const maxEventIds = 500;
/**
 * Whole notifications in one event, as JSON in bytes. The largest one alone may have more; with its
 * counts it fits into 64 KiB, too.
 */
const maxEventBytes = 32_768;
/** Categories in one event, those with the most unread: as many as a user can have wishes for. */
const maxCountedCategories = 200;

type EventBody = InboxEvent extends infer Event
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

  /** Locks a user's inbox; undefined when there has never been anything in it. */
  async lock(trx: InboxTransaction, user: string): Promise<number | undefined> {
    let query = trx.selectFrom('inbox_mailboxes').select('version').where('user_id', '=', user);
    if (this.#store.dialect === 'postgres') query = query.forUpdate();
    return (await query.executeTakeFirst())?.version;
  }

  /** Locks a user's inbox, making one when there has never been anything in it. */
  async claim(trx: InboxTransaction, user: string): Promise<number> {
    await trx
      .insertInto('inbox_mailboxes')
      .values({ user_id: user, version: 0 })
      .onConflict((conflict) => conflict.column('user_id').doNothing())
      .execute();
    return (await this.lock(trx, user)) ?? 0;
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

  announce(trx: InboxTransaction, user: string, event: InboxEvent): void {
    const data = { ...event, unread: bounded(event.unread) };
    this.#store.outbox.append(trx, { channel: this.#settings.channelOf(user), data });
  }

  /**
   * Raises the user's version and announces a change of some ids, in several events when they are
   * many. The mailbox must be locked.
   * @returns the version and counts after it
   */
  async announceIds(
    trx: InboxTransaction,
    user: string,
    change: { readonly ids: readonly string[]; readonly now: number } & {
      readonly body: (ids: readonly string[]) => EventBody;
    },
  ): Promise<{ readonly version: number; readonly unread: UnreadCounts }> {
    const unread = await this.unreadOf(trx, user, change.now);
    let version = 0;
    for (const body of piecesOf(change.ids, change.body)) {
      version = await this.#announceNext(trx, user, { ...body, unread });
    }
    return { version, unread };
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
    return this.#announceNext(trx, user, { ...setting, unread });
  }

  async #announceNext(
    trx: InboxTransaction,
    user: string,
    event: EventBody & Pick<InboxEvent, 'unread'>,
  ): Promise<number> {
    const version = (await this.raise(trx, [user])).get(user) ?? 0;
    this.announce(trx, user, { ...event, version });
    return version;
  }

  async unreadOf(trx: InboxTransaction, user: string, now: number): Promise<UnreadCounts> {
    const counts = await this.countUnread(trx, [user], now);
    return bounded(counts.get(user) ?? noneUnread);
  }

  /** Deletes notifications of any users, and tells each user. */
  async remove(
    trx: InboxTransaction,
    found: readonly { readonly id: string; readonly user_id: string }[],
    options: { readonly reason: RemovalReason; readonly now: number },
  ): Promise<void> {
    if (found.length === 0) return;
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
  }
}

export const noneUnread: UnreadCounts = { total: 0, byCategory: {} };

/** A change of many ids as several, each short enough for an event. */
function piecesOf(
  ids: readonly string[],
  body: (ids: readonly string[]) => EventBody,
): readonly EventBody[] {
  const whole = body(ids);
  if (ids.length <= 1 || (ids.length <= maxEventIds && isShort(whole))) return [whole];
  const middle = Math.ceil(ids.length / 2);
  return [...piecesOf(ids.slice(0, middle), body), ...piecesOf(ids.slice(middle), body)];
}

function isShort(body: EventBody): boolean {
  if (body.type !== 'unarchived') return true;
  return Buffer.byteLength(JSON.stringify(body)) <= maxEventBytes;
}

/** Categories are free: with one for each of a thousand notifications no event would hold the counts. */
function bounded(unread: UnreadCounts): UnreadCounts {
  const counts = Object.entries(unread.byCategory);
  if (counts.length <= maxCountedCategories) return unread;
  const most = counts.toSorted(([, a], [, b]) => b - a).slice(0, maxCountedCategories);
  return { total: unread.total, byCategory: Object.fromEntries(most) };
}

/** What users see: not only sent elsewhere, not expired. */
export function isVisible(now: number): Expression<SqlBool> {
  return sql<SqlBool>`in_app = 1 and (expires_at is null or expires_at > ${now})`;
}

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
