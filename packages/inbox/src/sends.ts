import type { Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import type { FanOut } from './fan-out.ts';
import { DirectSends } from './direct-sends.ts';
import type { InboxTables, SendState, SendTable } from './inbox-module.ts';
import type { InboxTransaction, Mailboxes } from './mailbox.ts';
import {
  checkContent,
  checkId,
  checkName,
  checkText,
  checkFutureTime,
  type CheckedContent,
  type NotificationContent,
} from './notification.ts';
import { requestFingerprint } from './request-fingerprint.ts';
import {
  conflictOf,
  deleteRecipients,
  insertSends,
  rowOf,
  toResult,
  toStatus,
  type SendDraft,
  type SendResult,
  type SendStatus,
} from './send-rows.ts';

/** Who gets it. An iterable is read piece by piece, however long it is. */
export type Recipients =
  | { readonly user: string }
  | { readonly users: Iterable<string> | AsyncIterable<string> }
  /** Everybody who is subscribed when their turn comes. */
  | { readonly topic: string };

export interface SendRequest extends NotificationContent {
  readonly to: Recipients;
  /** Unix milliseconds; in the past or absent: now. */
  readonly sendAt?: number;
  /**
   * Repeating a request with the same key changes nothing and gives the same answer; one that says
   * something else is refused (`inbox_idempotency_conflict`). Recipients that are no array are not
   * compared: those of the first request stand, and when it broke off, what the next one adds.
   * At most 200 characters.
   */
  readonly idempotencyKey?: string;
}

/** Recipients of one transaction: it stays short, and its locks few. */
const batchUsers = 500;
/** Recipients who are forgotten in one transaction, which is less work than serving them. */
const batchForgotten = 5000;

/** Requests to send, each remembered with how far it is. */
export class Sends {
  readonly #store: Store<InboxTables>;
  readonly #mailboxes: Mailboxes;
  readonly #fanOut: FanOut;
  readonly #direct: DirectSends;
  readonly #wakeWorker: () => void;

  constructor(
    parts: { readonly mailboxes: Mailboxes; readonly fanOut: FanOut },
    options: { readonly store: Store<InboxTables>; readonly wakeWorker: () => void },
  ) {
    this.#store = options.store;
    this.#mailboxes = parts.mailboxes;
    this.#fanOut = parts.fanOut;
    this.#direct = new DirectSends(options.store, parts.fanOut);
    this.#wakeWorker = options.wakeWorker;
  }

  /** @throws {@link InboxError} `inbox_invalid` or `inbox_idempotency_conflict` */
  async send(request: SendRequest): Promise<SendResult> {
    const content = checkContent(request);
    const { to, idempotencyKey } = request;
    if (idempotencyKey !== undefined) {
      checkText('idempotencyKey', idempotencyKey, { min: 1, max: 200 });
    }
    if (request.sendAt !== undefined) checkFutureTime('sendAt', request.sendAt);
    const topic = 'topic' in to ? checkName('to.topic', to.topic) : null;
    const now = this.#store.clock.now();
    const sendAt = Math.max(request.sendAt ?? now, now);
    const draft = {
      id: this.#store.ids.next(),
      idempotency_key: idempotencyKey ?? null,
      fingerprint: requestFingerprint(content, { to, sendAt: request.sendAt }),
      content: JSON.stringify(content),
      topic,
      send_at: sendAt,
      created_at: now,
    };
    if (topic !== null) return this.#queue(draft, sendAt > now ? 'scheduled' : 'running');
    const users = 'user' in to ? [checkId('to.user', to.user)] : 'users' in to ? to.users : [];
    const direct = sendAt > now ? undefined : fewUsers(users);
    if (direct !== undefined) {
      return this.#direct.do({ draft, sendId: draft.id, content, users: direct });
    }
    return this.#collect(draft, users);
  }

  /** @throws {@link InboxError} `inbox_not_found` */
  async status(id: string): Promise<SendStatus> {
    const row = await this.#store.read((db) =>
      db.selectFrom('inbox_sends').selectAll().where('id', '=', id).executeTakeFirst(),
    );
    if (row === undefined) throw new InboxError('inbox_not_found', `there is no send ${id}`);
    return toStatus(row);
  }

  /**
   * Stops a send that has not finished. With `recall` also takes back what it has stored already, and
   * its status says so from then on. Doing it twice changes nothing.
   * @throws {@link InboxError} `inbox_not_found`
   */
  async cancel(id: string, options: { readonly recall?: boolean } = {}): Promise<SendStatus> {
    await this.#store.transaction(async (trx) => {
      const row = await this.#lockSend(trx, id);
      if (row === undefined) throw new InboxError('inbox_not_found', `there is no send ${id}`);
      if (row.state === 'done' || row.state === 'cancelled') return;
      await this.#finish(trx, id, 'cancelled');
    });
    // Whoever dies here leaves the rest to a repetition, or to retention.
    let forgotten = batchForgotten;
    while (forgotten >= batchForgotten) forgotten = await this.#forgetBatch(id);
    if (options.recall === true) {
      let removed = batchUsers;
      while (removed >= batchUsers) removed = await this.#recallBatch(id);
    }
    return this.status(id);
  }

  /**
   * Ids of sends whose time has come. What has begun goes on whatever the time: the machine's clock may
   * have been set back since.
   */
  async due(limit: number): Promise<readonly string[]> {
    const now = this.#store.clock.now();
    const rows = await this.#store.read(async (db) => {
      const oldest = db
        .selectFrom('inbox_sends')
        .select(['id', 'send_at'])
        .orderBy('send_at')
        .limit(limit);
      // In the words of the indexes: SQLite finds them by no parameters.
      const running = await oldest.where(sql<SqlBool>`state = 'running'`).execute();
      const scheduled = await oldest
        .where(sql<SqlBool>`state in ('scheduled', 'running') and state = 'scheduled'`)
        .where('send_at', '<=', now)
        .execute();
      return [...running, ...scheduled];
    });
    return rows
      .toSorted((one, other) => one.send_at - other.send_at)
      .slice(0, limit)
      .map(({ id }) => id);
  }

  /**
   * Gives a send's next recipients their notification. The place where it goes on is committed with
   * them, so a process that dies here neither leaves anybody out nor gives anybody two. Those of a list
   * are forgotten in the same transaction, so that a long one leaves nothing to clear away at its end.
   * @returns whether there are more
   */
  async continue(id: string): Promise<boolean> {
    return this.#store.transaction(async (trx) => {
      const row = await this.#lockSend(trx, id);
      if (row === undefined || (row.state !== 'scheduled' && row.state !== 'running')) return false;
      const users = await this.#nextUsers(trx, row);
      const last = users.at(-1);
      if (last === undefined) {
        await this.#finish(trx, id, 'done');
        return false;
      }
      const content = JSON.parse(row.content) as CheckedContent;
      const mailings = await this.#fanOut.route(trx, [{ sendId: id, content, users }]);
      await this.#fanOut.create(trx, mailings);
      await this.#forgetServed(trx, row, last);
      const created = mailings.flatMap(({ deliveries }) => deliveries).length;
      await trx
        .updateTable('inbox_sends')
        .set({
          state: 'running',
          cursor: last,
          created: row.created + created,
          muted: row.muted + users.length - created,
          ...(row.topic === null ? {} : { recipients: row.recipients + users.length }),
        })
        .where('id', '=', id)
        .execute();
      return true;
    });
  }

  async #queue(draft: SendDraft, state: SendState): Promise<SendResult> {
    const row = rowOf(draft, state);
    const holder = await this.#insert(row);
    this.#wakeWorker();
    return toResult(row, holder);
  }

  /** Stores the recipients piece by piece before the first gets anything, so that a repetition can finish it. */
  async #collect(
    draft: SendDraft,
    users: Iterable<string> | AsyncIterable<string>,
  ): Promise<SendResult> {
    const earlier = await this.#insert(rowOf(draft, 'collecting'));
    if (earlier !== undefined && earlier.state !== 'collecting') {
      return { ...toStatus(earlier), repeated: true };
    }
    const { id, created_at, send_at } = earlier ?? draft;
    const isForLater = send_at > created_at;
    let batch: string[] = [];
    for await (const user of users) {
      batch.push(checkId('to.users', user));
      if (batch.length < batchUsers) continue;
      await this.#addRecipients(id, batch);
      batch = [];
    }
    await this.#addRecipients(id, batch);
    const row = await this.#store.transaction(async (trx) => {
      const { count } = await trx
        .selectFrom('inbox_send_recipients')
        .select((value) => value.fn.countAll<number>().as('count'))
        .where('send_id', '=', id)
        .executeTakeFirstOrThrow();
      return trx
        .updateTable('inbox_sends')
        .set({ recipients: count, state: isForLater ? 'scheduled' : 'running' })
        .where('id', '=', id)
        .where('state', '=', 'collecting')
        .returningAll()
        .executeTakeFirst();
    });
    this.#wakeWorker();
    const status = row === undefined ? await this.status(id) : toStatus(row);
    return { ...status, repeated: earlier !== undefined };
  }

  async #addRecipients(id: string, users: readonly string[]): Promise<void> {
    if (users.length === 0) return;
    await this.#store.transaction(async (trx) => {
      const send = await this.#lockSend(trx, id);
      if (send?.state !== 'collecting') return;
      await trx
        .insertInto('inbox_send_recipients')
        .values(users.map((user) => ({ send_id: id, user_id: user })))
        .onConflict((conflict) => conflict.columns(['send_id', 'user_id']).doNothing())
        .execute();
    });
  }

  /** Inserts the send, or returns the one that has its idempotency key. */
  async #insert(row: SendTable): Promise<SendTable | undefined> {
    const { dialect } = this.#store;
    const holders = await this.#store.transaction((trx) => insertSends(trx, dialect, [row]));
    const holder = holders.get(row.id);
    const conflict = holder && conflictOf(holder, row);
    if (conflict !== undefined) throw conflict;
    return holder;
  }

  async #lockSend(trx: InboxTransaction, id: string): Promise<SendTable | undefined> {
    let query = trx.selectFrom('inbox_sends').selectAll().where('id', '=', id);
    if (this.#store.dialect === 'postgres') query = query.forUpdate();
    return query.executeTakeFirst();
  }

  async #nextUsers(trx: InboxTransaction, send: SendTable): Promise<readonly string[]> {
    const rows = await (
      send.topic === null
        ? trx
            .selectFrom('inbox_send_recipients')
            .select('user_id')
            .where('send_id', '=', send.id)
            .where('user_id', '>', send.cursor)
            .orderBy('user_id')
            .limit(batchUsers)
        : trx
            .selectFrom('inbox_topics')
            .select('user_id')
            .where('topic', '=', send.topic)
            .where('user_id', '>', send.cursor)
            .orderBy('user_id')
            .limit(batchUsers)
    ).execute();
    return rows.map((row) => row.user_id);
  }

  /** Both ends are named, so that never more rows are deleted than were served. */
  async #forgetServed(trx: InboxTransaction, send: SendTable, last: string): Promise<void> {
    if (send.topic !== null) return;
    await trx
      .deleteFrom('inbox_send_recipients')
      .where('send_id', '=', send.id)
      .where('user_id', '>', send.cursor)
      .where('user_id', '<=', last)
      .execute();
  }

  async #forgetBatch(sendId: string): Promise<number> {
    const { dialect } = this.#store;
    return this.#store.transaction((trx) =>
      deleteRecipients(trx, { dialect, sendIds: [sendId], limit: batchForgotten }),
    );
  }

  async #finish(trx: InboxTransaction, id: string, state: 'done' | 'cancelled'): Promise<void> {
    await trx
      .updateTable('inbox_sends')
      .set({ state, finished_at: this.#store.clock.now() })
      .where('id', '=', id)
      .execute();
  }

  async #recallBatch(sendId: string): Promise<number> {
    return this.#store.transaction(async (trx) => {
      const send = await this.#lockSend(trx, sendId);
      const rows = await trx
        .selectFrom('inbox_notifications')
        .select(['id', 'user_id'])
        .where('send_id', '=', sendId)
        .limit(batchUsers)
        .execute();
      const now = this.#store.clock.now();
      const removed = await this.#mailboxes.remove(trx, rows, { reason: 'recalled', now });
      const isLast = rows.length < batchUsers;
      if (send !== undefined && (removed > 0 || (isLast && send.recalled_at === null))) {
        await trx
          .updateTable('inbox_sends')
          .set({
            recalled: send.recalled + removed,
            recalled_at: send.recalled_at ?? (isLast ? now : null),
          })
          .where('id', '=', sendId)
          .execute();
      }
      return rows.length;
    });
  }
}

/** The users, when they are few enough for one transaction; checked, each once. */
function fewUsers(users: Iterable<string> | AsyncIterable<string>): readonly string[] | undefined {
  if (!Array.isArray(users) || users.length > batchUsers) return undefined;
  const list = users as readonly string[];
  return [...new Set(list.map((user) => checkId('to.users', user)))];
}
