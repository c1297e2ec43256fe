import type { UnreadCounts } from '@holdfast/protocol/inbox';
import { inList, type Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import {
  InboxDraft,
  type Change,
  type ChangeKind,
  type ChangeResult,
  type Marks,
  type MarksSet,
} from './inbox-draft.ts';
import type { InboxTables, NotificationTable } from './inbox-module.ts';
import {
  isVisible,
  noneUnread,
  toNotification,
  withMore,
  type InboxTransaction,
  type Mailboxes,
} from './mailbox.ts';
import { checkId, checkName, checkPlace } from './notification.ts';
import { SharedTransactions, type SharedTransactionOptions } from './shared-transactions.ts';

export type { ChangeResult };

/** Most ids of one operation. */
export const maxChangeIds = 500;

/** Notifications that are changed together, as far as their number is known before. */
const maxTogether = 100;
/** As how many marking everything as read counts. */
const assumedUnread = 20;

const kinds = {
  read: {
    applies: (marks) => marks.read_at === null,
    set: (now) => ({ read_at: now, escalate_at: null }),
    event: (ids, { now }) => ({ type: 'read', ids, readAt: now }),
  },
  unread: {
    applies: (marks) => marks.read_at !== null,
    set: () => ({ read_at: null }),
    event: (ids) => ({ type: 'unread', ids }),
  },
  archive: {
    applies: (marks) => marks.archived_at === null,
    set: (now) => ({ archived_at: now, escalate_at: null }),
    event: (ids) => ({ type: 'removed', ids, reason: 'archived' }),
  },
  unarchive: {
    applies: (marks) => marks.archived_at !== null,
    set: () => ({ archived_at: null }),
    event: (ids, { rowOf }) => ({
      type: 'unarchived',
      notifications: ids.map((id) => toNotification(rowOf(id))),
    }),
    showsContent: true,
  },
  delete: {
    applies: () => true,
    set: () => null,
    event: (ids) => ({ type: 'removed', ids, reason: 'deleted' }),
  },
} as const satisfies Record<string, ChangeKind>;

/**
 * What users do with their notifications. All operations are idempotent. Those that come together
 * share a transaction: those of one user are done one after another in memory, those of all are
 * written in a number of statements that does not depend on how many there are.
 */
export class Changes {
  readonly #store: Store<InboxTables>;
  readonly #mailboxes: Mailboxes;
  readonly #shared: SharedTransactions<Change, ChangeResult>;

  constructor(store: Store<InboxTables>, mailboxes: Mailboxes) {
    this.#store = store;
    this.#mailboxes = mailboxes;
    this.#shared = new SharedTransactions((changes, how) => this.#transact(changes, how), {
      store,
      items: 'changes of inboxes',
      maxItems: maxTogether,
      weightOf: ({ selection }) => ('ids' in selection ? selection.ids.length : assumedUnread),
      userOf: ({ user }) => user,
    });
  }

  markRead(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, kinds.read);
  }

  markUnread(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, kinds.unread);
  }

  archive(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, kinds.archive);
  }

  unarchive(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, kinds.unarchive);
  }

  delete(user: string, ids: readonly string[]): Promise<ChangeResult> {
    return this.#change(user, ids, kinds.delete);
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
    const selection = { upTo, category };
    const { changed, unread, version } = await this.#shared.do({
      user,
      kind: kinds.read,
      selection,
    });
    return { changed, unread, version };
  }

  async #change(user: string, ids: readonly string[], kind: ChangeKind): Promise<ChangeResult> {
    checkId('user', user);
    return this.#shared.do({ user, kind, selection: { ids: checkIds(ids) } });
  }

  #transact(
    changes: readonly Change[],
    options: SharedTransactionOptions,
  ): Promise<readonly ChangeResult[]> {
    return this.#store.transaction(async (trx) => {
      const drafts = await this.#open(trx, changes);
      const results = changes.flatMap((change) => drafts.get(change.user)?.make(change) ?? []);
      await this.#write(
        trx,
        [...drafts.values()].flatMap(({ sets }) => Array.from(sets)),
      );
      const events = [...drafts].flatMap(([user, draft]) =>
        draft.events.map((event) => ({ user, event })),
      );
      await this.#mailboxes.raise(
        trx,
        events.map(({ user }) => user),
      );
      for (const { user, event } of events) this.#mailboxes.announce(trx, user, event);
      return results;
    }, options);
  }

  /** Locks the inboxes that are to be changed, and reads what the changes need of them. */
  async #open(
    trx: InboxTransaction,
    changes: readonly Change[],
  ): Promise<ReadonlyMap<string, InboxDraft>> {
    const now = this.#store.clock.now();
    const users = new Set(changes.map(({ user }) => user));
    const readers = changes.filter(({ selection }) => !('ids' in selection));
    const versions = await this.#mailboxes.lock(trx, [...users]);
    const named = Map.groupBy(await this.#selectMarks(trx, changes, now), (row) => row.user_id);
    const contents = await this.#selectContents(trx, changes);
    const unread = await this.#selectUnread(trx, new Set(readers.map(({ user }) => user)), now);
    // Of whom all that is unread was read, it needs no counting.
    const others = [...users].filter((user) => !unread.has(user));
    const counts = await this.#mailboxes.countUnread(trx, others, now);
    return new Map(
      Array.from(users, (user) => {
        const ownUnread = unread.get(user);
        const draft = new InboxDraft({
          marks: [...(named.get(user) ?? []), ...(ownUnread ?? [])],
          contents,
          unread: (ownUnread === undefined ? counts.get(user) : countAll(ownUnread)) ?? noneUnread,
          version: versions.get(user) ?? 0,
          now,
        });
        return [user, draft];
      }),
    );
  }

  /** Whoever named an id that is somebody else's does not get it: drafts are by user. */
  async #selectMarks(
    trx: InboxTransaction,
    changes: readonly Change[],
    now: number,
  ): Promise<readonly Marks[]> {
    const ids = idsOf(changes);
    if (ids.length === 0) return [];
    return trx
      .selectFrom('inbox_notifications')
      .select(marksColumns)
      .where(sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`)
      .where(isVisible(now))
      .execute();
  }

  async #selectContents(
    trx: InboxTransaction,
    changes: readonly Change[],
  ): Promise<ReadonlyMap<string, NotificationTable>> {
    const ids = idsOf(changes.filter(({ kind }) => kind.showsContent === true));
    if (ids.length === 0) return new Map();
    const rows = await trx
      .selectFrom('inbox_notifications')
      .selectAll()
      .where(sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`)
      .execute();
    return new Map(rows.map((row) => [row.id, row]));
  }

  async #selectUnread(
    trx: InboxTransaction,
    users: ReadonlySet<string>,
    now: number,
  ): Promise<ReadonlyMap<string, readonly Marks[]>> {
    if (users.size === 0) return new Map();
    const rows = await trx
      .selectFrom('inbox_notifications')
      .select(marksColumns)
      .where(sql<SqlBool>`user_id ${inList(this.#store.dialect, [...users])}`)
      .where('read_at', 'is', null)
      .where('archived_at', 'is', null)
      .where(isVisible(now))
      .orderBy('id')
      .execute();
    const byUser = Map.groupBy(rows, (row) => row.user_id);
    return new Map(Array.from(users, (user) => [user, byUser.get(user) ?? []]));
  }

  /** One statement for all that are set in the same way. */
  async #write(
    trx: InboxTransaction,
    sets: readonly (readonly [id: string, set: MarksSet])[],
  ): Promise<void> {
    for (const alike of Map.groupBy(sets, ([, set]) => JSON.stringify(set)).values()) {
      const ids = alike.map(([id]) => id);
      const [[, set] = ['', null]] = alike;
      const isOne = sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`;
      await (set === null
        ? trx.deleteFrom('inbox_notifications').where(isOne).execute()
        : trx.updateTable('inbox_notifications').set(set).where(isOne).execute());
    }
  }
}

const marksColumns = ['id', 'user_id', 'category', 'read_at', 'archived_at'] as const;

function idsOf(changes: readonly Change[]): readonly string[] {
  const ids = changes.flatMap(({ selection }) => ('ids' in selection ? selection.ids : []));
  return [...new Set(ids)];
}

function countAll(unread: readonly Marks[]): UnreadCounts {
  return unread.reduce((counts, { category }) => withMore(counts, category, 1), noneUnread);
}

/** Each once. @throws {@link InboxError} `inbox_invalid` unless there are 1 to 500 */
export function checkIds(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > maxChangeIds) {
    throw new InboxError('inbox_invalid', `ids must be 1 to ${maxChangeIds} ids`);
  }
  return [...new Set(ids.map((id: string) => checkId('ids', id)))];
}
