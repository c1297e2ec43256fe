import type { InboxEvent, UnreadCounts } from '@holdfast/protocol/inbox';
import { inList, insertRows, type Store } from '@holdfast/store';
import { sql } from 'kysely';
import type { InboxTables, NotificationTable } from './inbox-module.ts';
import {
  noneUnread,
  toNotification,
  withMore,
  type InboxTransaction,
  type Mailboxes,
} from './mailbox.ts';
import type { CheckedContent } from './notification.ts';
import type { InboxSettings } from './options.ts';
import type { PreferenceBook, Routing } from './preferences.ts';

/** A user's notifications are counted whenever so many changes were made. */
const trimEvery = 16;
/** Notifications of one user that are removed at once when there are too many. */
const maxTrimmed = 500;

/** One content for some users. */
export interface Mailing {
  readonly sendId: string;
  readonly content: CheckedContent;
  /** Each once. */
  readonly users: readonly string[];
}

/** Who of a mailing's users wants it, and how. */
export interface Routed {
  readonly deliveries: readonly { readonly user: string; readonly routing: Routing }[];
}

type Delivery = Mailing & Routed['deliveries'][number];

/** What a notification has to know of the unread one of its group that it replaces. */
type Replaced = Pick<
  NotificationTable,
  'id' | 'user_id' | 'category' | 'group_key' | 'group_count' | 'in_app' | 'expires_at'
>;

/**
 * What gives way to a user's new notifications: of each group the newest, which counts for all of it,
 * and the others. There are others when the user has marked older ones as unread again.
 */
interface Replacement {
  readonly newest: ReadonlyMap<string | undefined, Replaced>;
  readonly others: readonly Replaced[];
}

/**
 * Stores notifications for users as they want them, with the event of each: those of several
 * mailings as if one had come after the other, in a number of statements that depends neither on how
 * many mailings there are, nor on how many users.
 */
export class FanOut {
  readonly #store: Store<InboxTables>;
  readonly #settings: InboxSettings;
  readonly #mailboxes: Mailboxes;
  readonly #preferences: PreferenceBook;

  constructor(
    parts: { readonly mailboxes: Mailboxes; readonly preferences: PreferenceBook },
    options: { readonly store: Store<InboxTables>; readonly settings: InboxSettings },
  ) {
    this.#store = options.store;
    this.#settings = options.settings;
    this.#mailboxes = parts.mailboxes;
    this.#preferences = parts.preferences;
  }

  /** Asks what the users of some mailings want. Locks nothing. */
  async route<Some extends Mailing>(
    trx: InboxTransaction,
    mailings: readonly Some[],
  ): Promise<readonly (Some & Routed)[]> {
    const users = [...new Set(mailings.flatMap((mailing) => mailing.users))];
    const categories = [...new Set(mailings.map(({ content }) => content.category))];
    const now = this.#store.clock.now();
    const route = await this.#preferences.routes(trx, users, { categories, now });
    return mailings.map((mailing) => ({
      ...mailing,
      deliveries: mailing.users
        .map((user) => ({ user, routing: route(user, mailing.content.category) }))
        .filter(({ routing }) => isWanted(routing) && !isExpired(mailing.content, now)),
    }));
  }

  /**
   * Stores what is wanted, and tells each user: of each notification as if those before it had been
   * stored in a transaction of their own.
   */
  async create(trx: InboxTransaction, mailings: readonly (Mailing & Routed)[]): Promise<void> {
    const deliveries = mailings.flatMap((mailing) =>
      mailing.deliveries.map((delivery) => ({ ...mailing, ...delivery })),
    );
    if (deliveries.length === 0) return;
    const now = this.#store.clock.now();
    const byUser = Map.groupBy(deliveries, ({ user }) => user);
    const users = [...byUser.keys()];
    const raised = await this.#mailboxes.raise(
      trx,
      deliveries.map(({ user }) => user),
    );
    const unread = await this.#mailboxes.countUnread(trx, users, now);
    const replaced = await this.#takeReplaced(trx, deliveries);
    // The event of the others is a change of its own.
    const crowded = [...replaced].filter(([, { others }]) => others.length > 0);
    const again = await this.#mailboxes.raise(
      trx,
      crowded.map(([user]) => user),
    );
    const versions = new Map([...raised, ...again]);
    const rows: NotificationTable[] = [];
    const toTrim: string[] = [];
    for (const [user, own] of byUser) {
      const after = versions.get(user) ?? 0;
      const version = after - own.length;
      const before = { user, version, unread: unread.get(user) ?? noneUnread, now };
      const inbox = { ...before, ...(replaced.get(user) ?? noneReplaced) };
      rows.push(...this.#deliver(trx, own, inbox));
      if (Math.floor(after / trimEvery) > Math.floor(version / trimEvery)) toTrim.push(user);
    }
    await insertRows(this.#store.dialect, 'inbox_notifications', rows).execute(trx);
    if (toTrim.length > 0) await this.#trim(trx, toTrim, now);
  }

  /**
   * Announces one user's notifications.
   * @returns those to be stored: without the ones that others of them replace
   */
  #deliver(
    trx: InboxTransaction,
    deliveries: readonly Delivery[],
    inbox: Replacement & {
      readonly user: string;
      readonly version: number;
      readonly unread: UnreadCounts;
      readonly now: number;
    },
  ): Iterable<NotificationTable> {
    const { user, others, now } = inbox;
    let { version, unread } = inbox;
    if (others.length > 0) {
      for (const row of others) unread = withMore(unread, row.category, -countOf(row, now));
      const ids = others.map(({ id }) => id);
      const event = { type: 'removed', ids, reason: 'replaced', version, unread } as const;
      this.#mailboxes.announce(trx, user, event);
    }
    const newest = new Map(inbox.newest);
    const stored = new Map<string, NotificationTable>();
    for (const delivery of deliveries) {
      const row = this.#rowFor(delivery, now);
      const group = groupOf(row);
      const replaced = group === undefined ? undefined : newest.get(group);
      if (group !== undefined) newest.set(group, row);
      if (replaced !== undefined) {
        row.group_count += replaced.group_count;
        stored.delete(replaced.id);
      }
      stored.set(row.id, row);
      version += 1;
      const more = countOf(row, now) - (replaced === undefined ? 0 : countOf(replaced, now));
      unread = withMore(unread, row.category, more);
      this.#announceCreated(trx, row, {
        version,
        unread,
        silent: delivery.routing.quietMinutes > 0,
        replaces: replaced?.id ?? null,
      });
    }
    return stored.values();
  }

  #announceCreated(
    trx: InboxTransaction,
    row: NotificationTable,
    event: Pick<
      Extract<InboxEvent, { type: 'created' }>,
      'version' | 'unread' | 'silent' | 'replaces'
    >,
  ): void {
    if (row.in_app === 1) {
      const notification = toNotification(row);
      this.#mailboxes.announce(trx, row.user_id, { type: 'created', notification, ...event });
      return;
    }
    // The version was raised, so there must be an event of it, though nothing is to be seen.
    const { version, unread } = event;
    this.#mailboxes.announce(trx, row.user_id, { type: 'unread', ids: [], version, unread });
  }

  #rowFor({ sendId, content, user, routing }: Delivery, now: number): NotificationTable {
    const leaves = routing.webhook || routing.email;
    const waitMs = routing.inApp ? routing.escalateAfterMs : 0;
    return {
      id: this.#store.ids.next(),
      user_id: user,
      send_id: sendId,
      category: content.category,
      severity: content.severity,
      title: content.title,
      body: content.body,
      link: content.link,
      source: content.source,
      data: content.data,
      group_key: content.groupKey,
      group_count: 1,
      created_at: now,
      expires_at: content.expiresAt,
      read_at: null,
      archived_at: null,
      acknowledged_at: null,
      in_app: routing.inApp ? 1 : 0,
      escalate_at: leaves ? now + waitMs : null,
    };
  }

  /** Deletes the unread notifications whose groups get new ones. The inboxes are locked already. */
  async #takeReplaced(
    trx: InboxTransaction,
    deliveries: readonly Delivery[],
  ): Promise<ReadonlyMap<string, Replacement>> {
    const groups = deliveries
      .filter(({ content, routing }) => content.groupKey !== null && routing.inApp)
      .map(({ user, content }) => sql`(${user}, ${content.category}, ${content.groupKey})`);
    if (groups.length === 0) return new Map();
    const { rows } = await sql<Replaced>`
      delete from inbox_notifications
      where (user_id, category, group_key) in (values ${sql.join(groups)})
      and read_at is null and archived_at is null and in_app = 1
      returning id, user_id, category, group_key, group_count, in_app, expires_at`.execute(trx);
    const byUser = Map.groupBy(rows, (row) => row.user_id);
    return new Map([...byUser].map(([user, own]) => [user, toReplacement(own)]));
  }

  /** Removes what is above the limit of each user, the oldest first. The inboxes are locked already. */
  async #trim(trx: InboxTransaction, users: readonly string[], now: number): Promise<void> {
    const { maxPerUser, keepUnread } = this.#settings.retention;
    const unreadFirst = keepUnread ? sql`(read_at is null and archived_at is null) desc,` : sql``;
    const { rows } = await sql<{ id: string; user_id: string }>`
      select id, user_id from (
        select id, user_id,
          row_number() over (partition by user_id order by ${unreadFirst} id desc) as place
        from inbox_notifications where user_id ${inList(this.#store.dialect, users)}
      ) as placed
      where place > ${maxPerUser} and place <= ${maxPerUser + maxTrimmed}`.execute(trx);
    await this.#mailboxes.remove(trx, rows, { reason: 'retention', now });
  }
}

const noneReplaced: Replacement = { newest: new Map(), others: [] };

function toReplacement(rows: readonly Replaced[]): Replacement {
  const newest = new Map<string | undefined, Replaced>();
  const others: Replaced[] = [];
  for (const row of rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const older = newest.get(groupOf(row));
    if (older !== undefined) others.push(older);
    newest.set(groupOf(row), {
      ...row,
      group_count: row.group_count + (older?.group_count ?? 0),
    });
  }
  return { newest, others };
}

/** A time that had passed when it was sent, or passed while it waited: nobody could see it. */
function isExpired({ expiresAt }: CheckedContent, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

function isWanted(routing: Routing): boolean {
  if (routing.isMuted) return false;
  return routing.inApp || routing.webhook || routing.email;
}

/** What is not shown belongs to no group: it takes nothing's place, and nothing takes its. */
function groupOf(row: Replaced): string | undefined {
  if (row.group_key === null || row.in_app === 0) return undefined;
  return `${row.category} ${row.group_key}`;
}

/** What an unread notification counts. */
function countOf(row: Replaced, now: number): number {
  return Number(row.in_app === 1 && (row.expires_at === null || row.expires_at > now));
}
