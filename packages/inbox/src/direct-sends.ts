import type { Store } from '@holdfast/store';
import type { InboxError } from './errors.ts';
import type { FanOut, Mailing } from './fan-out.ts';
import type { InboxTables } from './inbox-module.ts';
import {
  conflictOf,
  insertSends,
  rowOf,
  toResult,
  type SendDraft,
  type SendResult,
} from './send-rows.ts';
import { SharedTransactions, type SharedTransactionOptions } from './shared-transactions.ts';

/** A send that is done at once, in the transaction that records it. */
export interface DirectSend extends Mailing {
  readonly draft: SendDraft;
}

const maxTogether = 100;
/** Together they have no more recipients than a batch of a list. */
const maxUsersTogether = 5;

/**
 * Does sends at once. Those to few users that come together share a transaction: a hundred need hardly
 * more statements than one, and wait for the disk once.
 */
export class DirectSends {
  readonly #store: Store<InboxTables>;
  readonly #fanOut: FanOut;
  readonly #shared: SharedTransactions<DirectSend, SendResult>;

  constructor(store: Store<InboxTables>, fanOut: FanOut) {
    this.#store = store;
    this.#fanOut = fanOut;
    this.#shared = new SharedTransactions((sends, how) => this.#transact(sends, how), {
      store,
      items: 'sends of notifications',
      maxItems: maxTogether,
      weightOf: () => 1,
      userOf: ({ users: [first] }) => first,
    });
  }

  /** @throws {@link InboxError} `inbox_idempotency_conflict`, and `StoreError` */
  do(send: DirectSend): Promise<SendResult> {
    return send.users.length > maxUsersTogether
      ? this.#shared.doAlone(send)
      : this.#shared.do(send);
  }

  /** A send whose key was used for something else only gets an error. */
  #transact(
    sends: readonly DirectSend[],
    options: SharedTransactionOptions,
  ): Promise<readonly (SendResult | InboxError)[]> {
    return this.#store.transaction(async (trx) => {
      const routed = await this.#fanOut.route(trx, sends);
      const rows = routed.map(({ draft, users, deliveries }) => ({
        ...rowOf(draft, 'done'),
        recipients: users.length,
        created: deliveries.length,
        muted: users.length - deliveries.length,
        finished_at: draft.created_at,
      }));
      const holders = await insertSends(trx, this.#store.dialect, rows);
      await this.#fanOut.create(
        trx,
        routed.filter(({ sendId }) => !holders.has(sendId)),
      );
      return rows.map((row) => {
        const holder = holders.get(row.id);
        return (holder && conflictOf(holder, row)) ?? toResult(row, holder);
      });
    }, options);
  }
}
