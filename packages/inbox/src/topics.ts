import type { Store } from '@holdfast/store';
import { InboxError } from './errors.ts';
import type { InboxTables } from './inbox-module.ts';
import { checkId, checkName } from './notification.ts';

const maxTopicsPerUser = 1000;

/** Who is subscribed to what. Everything is idempotent. */
export class Topics {
  readonly #store: Store<InboxTables>;

  constructor(store: Store<InboxTables>) {
    this.#store = store;
  }

  async subscribe(user: string, topic: string): Promise<void> {
    checkId('user', user);
    checkName('topic', topic);
    await this.#store.transaction(async (trx) => {
      const { count } = await trx
        .selectFrom('inbox_topics')
        .select((value) => value.fn.countAll<number>().as('count'))
        .where('user_id', '=', user)
        .where('topic', '<>', topic)
        .executeTakeFirstOrThrow();
      if (count >= maxTopicsPerUser) {
        throw new InboxError('inbox_invalid', `a user can have ${maxTopicsPerUser} topics`);
      }
      await trx
        .insertInto('inbox_topics')
        .values({ topic, user_id: user, since: this.#store.clock.now() })
        .onConflict((conflict) => conflict.columns(['topic', 'user_id']).doNothing())
        .execute();
    });
  }

  async unsubscribe(user: string, topic: string): Promise<void> {
    checkId('user', user);
    checkName('topic', topic);
    await this.#store.transaction((trx) =>
      trx
        .deleteFrom('inbox_topics')
        .where('user_id', '=', user)
        .where('topic', '=', topic)
        .execute(),
    );
  }

  /** Topics of a user, in order of their names. */
  async of(user: string): Promise<readonly string[]> {
    checkId('user', user);
    const rows = await this.#store.read((db) =>
      db
        .selectFrom('inbox_topics')
        .select('topic')
        .where('user_id', '=', user)
        .orderBy('topic')
        .execute(),
    );
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
