import { concernsEverybody, Gatherer, type Store, type Waiting } from '@holdfast/store';
import { InboxError } from './errors.ts';

/** How a transaction is to be run that others wait for. */
export interface SharedTransactionOptions {
  readonly lockTimeoutMs?: number;
}

export interface SharedTransactionsOptions<Work> {
  readonly store: Pick<Store, 'clock' | 'metrics'>;
  /** What the pieces of work are, in the plural, for messages. */
  readonly items: string;
  /** Pieces of one transaction, each counted with its weight; one that weighs more has one for itself. */
  readonly maxItems: number;
  readonly weightOf: (work: Work) => number;
  /** Whose inbox it is: what is done to one is done in the order it came, also when it is done alone. */
  readonly userOf: (work: Work) => string | undefined;
}

interface WaitingWork<Work, Result> extends Waiting {
  readonly work: Work;
  readonly resolve: (result: Result) => void;
}

/** Longer than a batch of a list holds its users' inboxes, as a rule. */
const maxLockWaitMs = 250;

/**
 * Does work that comes together in one transaction, in the order it came. Each piece succeeds or fails
 * on its own: when one of them makes the transaction fail, or wait long for somebody else's lock,
 * nothing of it was kept, and each is done in a transaction of its own beside those that follow.
 */
export class SharedTransactions<Work, Result> {
  readonly #transact: (
    works: readonly Work[],
    options: SharedTransactionOptions,
  ) => Promise<readonly (Result | InboxError)[]>;
  readonly #options: SharedTransactionsOptions<Work>;
  readonly #gatherer: Gatherer<WaitingWork<Work, Result>>;

  /** @param transact does all of them, or none; what is wrong with one only is its outcome */
  constructor(
    transact: (
      works: readonly Work[],
      options: SharedTransactionOptions,
    ) => Promise<readonly (Result | InboxError)[]>,
    options: SharedTransactionsOptions<Work>,
  ) {
    this.#transact = transact;
    this.#options = options;
    this.#gatherer = new Gatherer((all) => this.#doTogether(all), {
      clock: options.store.clock,
      metrics: options.store.metrics,
      items: options.items,
      maxItems: options.maxItems,
    });
  }

  /** @throws what became of it, and `StoreError` */
  do(work: Work): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#gatherer.add({ work, resolve, reject, weight: this.#options.weightOf(work) });
    });
  }

  /** The same in a transaction of its own, beside the shared ones. */
  async doAlone(work: Work): Promise<Result> {
    const [outcome] = await this.#transact([work], {});
    if (outcome === undefined || outcome instanceof InboxError) throw outcome;
    return outcome;
  }

  async #doTogether(all: readonly WaitingWork<Work, Result>[]): Promise<void> {
    try {
      const works = all.map(({ work }) => work);
      const outcomes = await this.#transact(works, { lockTimeoutMs: maxLockWaitMs });
      for (const [index, { resolve, reject }] of all.entries()) {
        const outcome = outcomes[index];
        if (outcome instanceof InboxError) reject(outcome);
        else if (outcome !== undefined) resolve(outcome);
      }
    } catch (error) {
      if (concernsEverybody(error)) {
        for (const { reject } of all) reject(error);
        return;
      }
      const byUser = Map.groupBy(all, ({ work }) => this.#options.userOf(work));
      for (const own of byUser.values()) void this.#doOneByOne(own);
    }
  }

  async #doOneByOne(all: readonly WaitingWork<Work, Result>[]): Promise<void> {
    for (const { work, resolve, reject } of all) await this.doAlone(work).then(resolve, reject);
  }
}
