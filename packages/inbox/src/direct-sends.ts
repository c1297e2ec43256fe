import { concernsEverybody, Gatherer, type Store, type Waiting } from '@holdfast/store';
import { InboxError } from './errors.ts';
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

/** A send that is done at once, in the transaction that records it. */
export interface DirectSend extends Mailing {
  readonly draft: SendDraft;
}

interface WaitingSend extends Waiting {
  readonly send: DirectSend;
  readonly resolve: (result: SendResult | Promise<SendResult>) => void;
}

const maxTogether = 100;
/** Together they have no more recipients than a batch of a list. */
const maxUsersTogether = 5;
/** Longer than a batch of a list holds its users' inboxes, as a rule. */
const maxLockWaitMs = 250;

/**
 * Does sends at once. Those to few users that come together share a transaction, in the order they
 * came: a hundred need hardly more statements than one, and wait for the disk once. Each succeeds or
 * fails on its own: when one of them makes the transaction fail, or wait long for somebody else's
 * lock, nothing of it was kept, and each is done in a transaction of its own beside those that follow.
 */
export class DirectSends {
  readonly #store: Store<InboxTables>;
  readonly #fanOut: FanOut;
  readonly #gatherer: Gatherer<WaitingSend>;

  constructor(store: Store<InboxTables>, fanOut: FanOut) {
    this.#store = store;
    this.#fanOut = fanOut;
    this.#gatherer = new Gatherer((all) => this.#doTogether(all), {
      clock: store.clock,
      metrics: store.metrics,
      items: 'sends of notifications',
      maxItems: maxTogether,
    });
  }

  /** @throws {@link InboxError} `inbox_idempotency_conflict`, and `StoreError` */
  do(send: DirectSend): Promise<SendResult> {
    if (send.users.length > maxUsersTogether) return this.#doAlone(send);
    return new Promise((resolve, reject) => {
      this.#gatherer.add({ send, resolve, reject });
    });
  }

  async #doTogether(all: readonly WaitingSend[]): Promise<void> {
    try {
      const sends = all.map(({ send }) => send);
      const outcomes = await this.#transact(sends, { lockTimeoutMs: maxLockWaitMs });
      for (const [index, { resolve, reject }] of all.entries()) {
        const outcome = outcomes[index];
        if (outcome instanceof InboxError) reject(outcome);
        else if (outcome !== undefined) resolve(outcome);
      }
    } catch (error) {
      for (const { send, resolve, reject } of all) {
        if (concernsEverybody(error)) reject(error);
        else resolve(this.#doAlone(send));
      }
    }
  }

  async #doAlone(send: DirectSend): Promise<SendResult> {
    const [outcome] = await this.#transact([send]);
    if (outcome === undefined || outcome instanceof InboxError) throw outcome;
    return outcome;
  }

  /** Does all of them, or none. A send whose key was used for something else only gets an error. */
  #transact(
    sends: readonly DirectSend[],
    options: { readonly lockTimeoutMs?: number } = {},
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
