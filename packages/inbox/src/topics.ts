import type { Store } from '@holdfast/store';
import { InboxError } from './errors.ts';
import type { InboxTables } from './inbox-module.ts';
import type { InboxTransaction, Mailboxes, SettingResult } from './mailbox.ts';
import { checkId, checkName } from './notification.ts';

const maxTopicsPerUser = 1000;

/** Who is subscribed to what. Everything is idempotent, and what changes is told to the user. */
export class Topics {
  readonly #store: Store<InboxTables>;
  readonly #mailboxes: Mailboxes;

  constructor(store: Store<InboxTables>, mailboxes: Mailboxes) {
    this.#store = store;
    this.#mailboxes = mailboxes;
  }

  async subscribe(user: string, topic: string): Promise<SettingResult> {
    checkId('user', user);
    checkName('topic', topic);
    return this.#store.transaction(async (trx) => {
      const before = await this.#mailboxes.claim(trx, user);
      const { count } = await trx
        .selectFrom('inbox_topics')
        .select((value) => value.fn.countAll<number>().as('count'))
        .where('user_id', '=', user)
        .where('topic', '<>', topic)
        .executeTakeFirstOrThrow();
      if (count >= maxTopicsPerUser) {
        throw new InboxError('inbox_invalid', `a user can have ${maxTopicsPerUser} topics`);
      }
      const added = await trx
        .insertInto('inbox_topics')
        .values({ topic, user_id: user, since: this.#store.clock.now() })
        .onConflict((conflict) => conflict.columns(['topic', 'user_id']).doNothing())
        .returning('topic')
        .execute();
      if (added.length === 0) return { version: before };
      const event = { type: 'subscribed', topic } as const;
      return { version: await this.#mailboxes.announceSetting(trx, user, event) };
    });
  }

  async unsubscribe(user: string, topic: string): Promise<SettingResult> {
    checkId('user', user);
    checkName('topic', topic);
    return this.#store.transaction(async (trx) => {
      const before = (await this.#mailboxes.lock(trx, [user])).get(user) ?? 0;
      const removed = await trx
        .deleteFrom('inbox_topics')
        .where('user_id', '=', user)
        .where('topic', '=', topic)
        .returning('topic')
        .execute();
      if (removed.length === 0) return { version: before };
      const event = { type: 'unsubscribed', topic } as const;
      return { version: await this.#mailboxes.announceSetting(trx, user, event) };
    });
  }

  /** Topics of a user, in order of their names. */
  async of(user: string): Promise<readonly string[]> {
    checkId('user', user);
    return this.#store.read((db) => this.select(db, user));
  }

  async select(db: InboxTransaction, user: string): Promise<readonly string[]> {
    const rows = await db
      .selectFrom('inbox_topics')
      .select('topic')
      .where('user_id', '=', user)
      .orderBy('topic')
      .execute();
    return rows.map((row) => row.topic);
  }

  async countSubscribers(topic: string): Promise<number> {
    checkName('topic', topic);
    const { count } = await this.#store.read((db) =>
      db
        .selectFrom('inbox_topics')
        .select((value) => value.fn.countAll<number>().as('count'))
        .where('topic', '=', topic)
        .executeTakeFirstOrThrow(),
    );
    return count;
  }
}
