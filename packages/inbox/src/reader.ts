import {
  type Notification,
  severities,
  type Severity,
  type UnreadCounts,
  type UserSettings,
} from '@holdfast/protocol/inbox';
import { inList, type Store } from '@holdfast/store';
import { type RawBuilder, sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import type { InboxTables } from './inbox-module.ts';
import { isVisible, toNotification, type InboxTransaction, type Mailboxes } from './mailbox.ts';
import { checkId, checkLimit, checkName, checkPlace } from './notification.ts';
import type { ChannelPosition, InboxSettings } from './options.ts';
import type { PreferenceBook } from './preferences.ts';
import type { Topics } from './topics.ts';

/** Which notifications are listed, page by page. */
export interface ListOptions {
  /** 1 to 100. @defaultValue 20 */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** `all` leaves out what is archived. @defaultValue 'all' */
  readonly status?: 'all' | 'unread' | 'read' | 'archived';
  readonly category?: string;
  readonly severity?: Severity;
}

/** What is read beside the first page. */
export interface SnapshotOptions extends ListOptions {
  /** Also what the user has set. @defaultValue false */
  readonly withSettings?: boolean;
}

/** For readers that count pages; {@link ListOptions} is cheaper, and steady while things arrive. */
export interface PageOptions {
  /** From 1. */
  readonly page: number;
  /** 1 to 100. */
  readonly pageSize: number;
  /** @defaultValue 'all' */
  readonly status?: ListOptions['status'];
  /** Only these categories and those below them: `alert` has `alert.price`. */
  readonly categories?: readonly string[];
  /** All but these categories and those below them. */
  readonly exceptCategories?: readonly string[];
}

/** Newest first. */
export interface NumberedPage {
  readonly items: readonly Notification[];
  /** On all pages together. */
  readonly total: number;
}

/** Newest first. */
export interface NotificationPage {
  readonly items: readonly Notification[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

/** Everything a screen needs, and the place from which the channel's events continue it. */
export interface InboxSnapshot extends NotificationPage {
  readonly unread: UnreadCounts;
  /** Events up to this version are contained, the next one continues it. */
  readonly version: number;
  readonly channel: string;
  /** Subscribe from here: events that are contained already have a version up to `version`. */
  readonly position: ChannelPosition;
  /** The server's clock, Unix milliseconds. */
  readonly now: number;
  /** Present when it was asked for. */
  readonly settings?: UserSettings;
}

/** Reads inboxes. Every answer is one consistent state. */
export class InboxReader {
  readonly #store: Store<InboxTables>;
  readonly #settings: InboxSettings;
  readonly #mailboxes: Mailboxes;
  readonly #preferences: PreferenceBook;
  readonly #topics: Topics;
  readonly #position: (channel: string) => Promise<ChannelPosition>;

  constructor(
    parts: {
      readonly mailboxes: Mailboxes;
      readonly preferences: PreferenceBook;
      readonly topics: Topics;
    },
    options: {
      readonly store: Store<InboxTables>;
      readonly settings: InboxSettings;
      readonly position: (channel: string) => Promise<ChannelPosition>;
    },
  ) {
    this.#store = options.store;
    this.#settings = options.settings;
    this.#mailboxes = parts.mailboxes;
    this.#preferences = parts.preferences;
    this.#topics = parts.topics;
    this.#position = options.position;
  }

  async list(user: string, options: ListOptions = {}): Promise<NotificationPage> {
    const filter = checkFilter(user, options);
    const now = this.#store.clock.now();
    return this.#store.read((db) => selectPage(db, { ...filter, user, now }));
  }

  /** @throws {@link InboxError} `inbox_invalid` */
  async page(user: string, options: PageOptions): Promise<NumberedPage> {
    const { page, pageSize, categories = [], exceptCategories = [], status } = options;
    const given = status === undefined ? {} : { status };
    const filter = checkFilter(user, { limit: pageSize, ...given });
    if (!Number.isSafeInteger(page) || page < 1 || !Number.isSafeInteger(page * pageSize)) {
      throw new InboxError('inbox_invalid', 'page must be a whole number from 1');
    }
    for (const category of [...categories, ...exceptCategories]) checkName('categories', category);
    const now = this.#store.clock.now();
    return this.#store.read(async (db) => {
      let query = selectVisible(db, { ...filter, user, now });
      if (categories.length > 0) query = query.where(isWithin(categories));
      if (exceptCategories.length > 0) query = query.where(not(isWithin(exceptCategories)));
      const { total } = await query
        .select((row) => row.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow();
      const rows = await query
        .selectAll()
        .orderBy('id', 'desc')
        .limit(pageSize)
        .offset((page - 1) * pageSize)
        .execute();
      return { items: rows.map(toNotification), total };
    });
  }

  async counts(user: string): Promise<UnreadCounts> {
    checkId('user', user);
    const now = this.#store.clock.now();
    return this.#store.read((db) => this.#mailboxes.unreadOf(db, user, now));
  }

  /**
   * The position is asked before the state is read. Every event up to it was committed before, so
   * the state contains it; a later one may be contained too, and its version tells.
   */
  async snapshot(
    user: string,
    { withSettings = false, ...options }: SnapshotOptions = {},
  ): Promise<InboxSnapshot> {
    const filter = checkFilter(user, options);
    const channel = this.#settings.channelOf(user);
    const position = await this.#position(channel);
    const now = this.#store.clock.now();
    return this.#store.read(async (db) => {
      const mailbox = await db
        .selectFrom('inbox_mailboxes')
        .select('version')
        .where('user_id', '=', user)
        .executeTakeFirst();
      const page = await selectPage(db, { ...filter, user, now });
      const unread = await this.#mailboxes.unreadOf(db, user, now);
      const version = mailbox?.version ?? 0;
      const settings = withSettings ? { settings: await this.#settingsOf(db, user) } : {};
      return { ...page, unread, version, channel, position, now, ...settings };
    });
  }

  async #settingsOf(db: InboxTransaction, user: string): Promise<UserSettings> {
    return {
      preferences: await this.#preferences.select(db, user),
      topics: await this.#topics.select(db, user),
      defaults: this.#preferences.defaults,
      targets: this.#settings.targets,
    };
  }

  /** The user's own notifications among these ids. */
  async get(user: string, ids: readonly string[]): Promise<readonly Notification[]> {
    checkId('user', user);
    const now = this.#store.clock.now();
    const rows = await this.#store.read((db) =>
      db
        .selectFrom('inbox_notifications')
        .selectAll()
        .where('user_id', '=', user)
        .where(sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`)
        .where(isVisible(now))
        .execute(),
    );
    return rows.map(toNotification);
  }
}

interface Filter {
  readonly limit: number;
  readonly status: NonNullable<ListOptions['status']>;
  readonly cursor: string | undefined;
  readonly category: string | undefined;
  readonly severity: Severity | undefined;
}

const statuses = ['all', 'unread', 'read', 'archived'] as const;

function checkFilter(user: string, options: ListOptions): Filter {
  checkId('user', user);
  const { limit = 20, cursor, status = 'all', category, severity } = options;
  checkLimit(limit);
  if (!statuses.includes(status)) {
    throw new InboxError('inbox_invalid', `status must be one of ${statuses.join(', ')}`);
  }
  if (category !== undefined) checkName('category', category);
  if (severity !== undefined && !severities.includes(severity)) {
    throw new InboxError('inbox_invalid', `severity must be one of ${severities.join(', ')}`);
  }
  if (cursor !== undefined) checkPlace('cursor', cursor, 'the nextCursor of another page');
  return { limit, cursor, status, category, severity };
}

async function selectPage(
  db: InboxTransaction,
  filter: Filter & { readonly user: string; readonly now: number },
): Promise<NotificationPage> {
  const { limit, cursor, category, severity } = filter;
  let query = selectVisible(db, filter)
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('id', '<', cursor);
  if (category !== undefined) query = query.where('category', '=', category);
  if (severity !== undefined) query = query.where('severity', '=', severity);
  const rows = await query.execute();
  const items = rows.slice(0, limit).map(toNotification);
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

function selectVisible(
  db: InboxTransaction,
  filter: Pick<Filter, 'status'> & { readonly user: string; readonly now: number },
) {
  const { status } = filter;
  const query = db
    .selectFrom('inbox_notifications')
    .where('user_id', '=', filter.user)
    .where(isVisible(filter.now))
    .where('archived_at', status === 'archived' ? 'is not' : 'is', null);
  if (status === 'unread') return query.where('read_at', 'is', null);
  return status === 'read' ? query.where('read_at', 'is not', null) : query;
}

/** Whether the category is one of these, or below one of them. */
function isWithin(categories: readonly string[]): RawBuilder<SqlBool> {
  const each = categories.map(
    (name) => sql`category = ${name} or substr(category, 1, ${name.length + 1}) = ${`${name}.`}`,
  );
  return sql<SqlBool>`(${sql.join(each, sql` or `)})`;
}

function not(condition: RawBuilder<SqlBool>): RawBuilder<SqlBool> {
  return sql<SqlBool>`not ${condition}`;
}
