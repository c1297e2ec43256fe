import { valueList, type Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import type { InboxTables, NotificationTable } from './inbox-module.ts';
import { toNotification, type InboxTransaction, type Mailboxes } from './mailbox.ts';
import type { CheckedContent } from './notification.ts';
import type { InboxSettings } from './options.ts';
import type { PreferenceBook, Routing } from './preferences.ts';

/** Notifications of one user that are removed at once when there are too many. */
const maxTrimmed = 500;

/** One content for some users, few enough for one transaction. */
export interface FanOutBatch {
  readonly sendId: string;
  readonly content: CheckedContent;
  /** Each once. */
  readonly users: readonly string[];
}

/** Stores one notification for each of some users, as they want it, with the event of each. */
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

  /** @returns how many were stored, and how many users want nothing of this category */
  async create(
    trx: InboxTransaction,
    batch: FanOutBatch,
  ): Promise<{ created: number; muted: number }> {
    const { content, users } = batch;
    const now = this.#store.clock.now();
    const routes = await this.#preferences.route(trx, users, { category: content.category, now });
    const wanted = users.filter((user) => isWanted(routes.get(user)));
    const versions = await this.#mailboxes.raise(trx, wanted);
    if (wanted.length === 0) return { created: 0, muted: users.length };
    const replaced = await this.#takeReplaced(trx, content, wanted);
    const rows = wanted.map((user) =>
      this.#rowFor(user, {
        ...batch,
        now,
        routing: routes.get(user),
        replaced: replaced.get(user),
      }),
    );
    await trx.insertInto('inbox_notifications').values(rows).execute();
    const unread = await this.#mailboxes.countUnread(trx, wanted, now);
    for (const row of rows) {
      const version = versions.get(row.user_id) ?? 0;
      this.#announceCreated(trx, row, {
        version,
        unread: unread.get(row.user_id) ?? { total: 0, byCategory: {} },
        silent: (routes.get(row.user_id)?.quietMinutes ?? 0) > 0,
        replaces: replaced.get(row.user_id)?.id ?? null,
      });
    }
    for (const user of wanted) {
      if ((versions.get(user) ?? 0) % 16 === 0) await this.#trim(trx, user, now);
    }
    return { created: wanted.length, muted: users.length - wanted.length };
  }

  #announceCreated(
    trx: InboxTransaction,
    row: NotificationTable,
    event: Pick<
      Extract<Parameters<Mailboxes['announce']>[2], { type: 'created' }>,
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

  #rowFor(
    user: string,
    options: {
      readonly sendId: string;
      readonly content: CheckedContent;
      readonly now: number;
      readonly routing: Routing | undefined;
      readonly replaced: { readonly count: number } | undefined;
    },
  ): NotificationTable {
    const { content, now, routing } = options;
    const leaves = routing !== undefined && (routing.webhook || routing.email);
    const waitMs = routing?.inApp === true ? routing.escalateAfterMs : 0;
    return {
      id: this.#store.ids.next(),
      user_id: user,
      send_id: options.sendId,
      category: content.category,
      severity: content.severity,
      title: content.title,
      body: content.body,
      link: content.link,
      source: content.source,
      data: content.data,
      group_key: content.groupKey,
      group_count: (options.replaced?.count ?? 0) + 1,
      created_at: now,
      expires_at: content.expiresAt,
      read_at: null,
      archived_at: null,
      acknowledged_at: null,
      in_app: routing?.inApp === false ? 0 : 1,
      escalate_at: leaves ? now + waitMs : null,
    };
  }

  /** Removes the unread notifications of the group; the new ones take their places. */
  async #takeReplaced(
    trx: InboxTransaction,
    content: CheckedContent,
    users: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly id: string; readonly count: number }>> {
    if (content.groupKey === null) return new Map();
    const { rows } = await sql<{ id: string; user_id: string; group_count: number }>`
      delete from inbox_notifications
      where user_id in ${valueList(this.#store.dialect, users)}
      and category = ${content.category} and group_key = ${content.groupKey}
      and read_at is null and archived_at is null and in_app = 1
      returning id, user_id, group_count`.execute(trx);
    return new Map(rows.map((row) => [row.user_id, { id: row.id, count: row.group_count }]));
  }

  /** Removes what is above the limit of a user, the oldest first. The mailbox is locked already. */
  async #trim(trx: InboxTransaction, user: string, now: number): Promise<void> {
    const { maxPerUser, keepUnread } = this.#settings.retention;
    let query = trx
      .selectFrom('inbox_notifications')
      .select(['id', 'user_id'])
      .where('user_id', '=', user);
    if (keepUnread)
      query = query.orderBy(sql<SqlBool>`(read_at is null and archived_at is null)`, 'desc');
    const excess = await query.orderBy('id', 'desc').offset(maxPerUser).limit(maxTrimmed).execute();
    await this.#mailboxes.remove(trx, excess, { reason: 'retention', now });
  }
}

function isWanted(routing: Routing | undefined): boolean {
  if (routing === undefined || routing.isMuted) return false;
  return routing.inApp || routing.webhook || routing.email;
}
