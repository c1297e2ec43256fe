import { delay, type Clock } from './clock.ts';
import type { StoreTransaction } from './session.ts';

/** Deletes what is too old or too much, a little at a time. */
export interface RetentionJob<Tables = unknown> {
  readonly name: string;
  /** The first time comes within a minute, however long this is. @defaultValue 60000 */
  readonly everyMs?: number;
  /** Rows of one transaction. @defaultValue 500 */
  readonly batchRows?: number;
  /**
   * Deletes at most `limit` rows (outbox events may tell of them) and returns how many it deleted. Called again, in a new
   * transaction, until it returns fewer than `limit`.
   */
  deleteBatch(
    transaction: StoreTransaction<Tables>,
    options: { readonly now: number; readonly limit: number },
  ): Promise<number>;
}

/** What a job has done in this process. */
export interface RetentionState {
  readonly name: string;
  runs: number;
  deleted: number;
  /** Unix milliseconds; 0 before the first run. */
  lastRunAt: number;
  lastError: unknown;
}

/** What the jobs need of the store. */
export interface RetentionStore {
  isLeader(): boolean;
  transaction<T>(work: (transaction: StoreTransaction<unknown>) => Promise<T>): Promise<T>;
}

export interface RetentionOptions {
  readonly clock: Clock;
  readonly onProblem: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

const pauseBetweenBatchesMs = 10;
/** A process that never lives as long as a job's interval runs it all the same. */
const longestFirstMs = 60_000;

/**
 * Runs retention jobs, each at its interval, in the process that is the leader. A job runs in short
 * transactions with pauses between them, so that other writers never wait long for it.
 */
export class Retention {
  readonly #store: RetentionStore;
  readonly #options: RetentionOptions;
  readonly #stops: (() => void)[] = [];
  readonly #states: RetentionState[] = [];
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(store: RetentionStore, options: RetentionOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** What each job has done so far. */
  get states(): readonly RetentionState[] {
    return this.#states;
  }

  /** Adds a job and starts its interval; jobs run one after another. */
  add<Tables>(job: RetentionJob<Tables>): void {
    const state: RetentionState = {
      name: job.name,
      runs: 0,
      deleted: 0,
      lastRunAt: 0,
      lastError: undefined,
    };
    this.#states.push(state);
    let isQueued = false;
    const { clock } = this.#options;
    const { everyMs = 60_000 } = job;
    const lookMs = Math.min(everyMs, longestFirstMs);
    // Looks are counted, not timed: timers are never exact.
    const looksBetween = Math.round(everyMs / lookMs);
    let looksLeft = 1;
    const stop = clock.every(lookMs, () => {
      looksLeft -= 1;
      if (looksLeft > 0 || isQueued || !this.#store.isLeader()) return;
      isQueued = true;
      looksLeft = looksBetween;
      const runInTurn = async (previous: Promise<void>): Promise<void> => {
        await previous;
        isQueued = false;
        await this.#run(job, state);
      };
      this.#running = runInTurn(this.#running);
    });
    this.#stops.push(stop);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const stop of this.#stops) stop();
    await this.#running;
  }

  async #run<Tables>(job: RetentionJob<Tables>, state: RetentionState): Promise<void> {
    const limit = job.batchRows ?? 500;
    const { clock } = this.#options;
    try {
      let deleted = limit;
      while (deleted >= limit && !this.#closing.signal.aborted) {
        deleted = await this.#store.transaction((transaction) =>
          // The job knows which tables there are.
          job.deleteBatch(transaction as StoreTransaction<Tables>, { now: clock.now(), limit }),
        );
        state.deleted += deleted;
        if (deleted >= limit) await delay(clock, pauseBetweenBatchesMs, this.#closing.signal);
      }
      state.lastError = undefined;
    } catch (error) {
      state.lastError = error;
      this.#options.onProblem({ message: `retention of ${job.name} failed`, cause: error });
    }
    state.runs += 1;
    state.lastRunAt = clock.now();
  }
}
