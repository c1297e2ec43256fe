/** Reads what several questions about one key ask for; answers are in their order. */
export type GatheredRead<Question, Answer> = (
  key: string,
  questions: readonly Question[],
) => Promise<readonly Answer[]>;

interface Waiter<Question, Answer> {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

interface Gathering<Question, Answer> {
  waiting: Waiter<Question, Answer>[];
}

/** How long nobody reads a key again: the longest that a question waits for a broker that answers at once. */
const restMs = 20;

/** When reads begin. */
export interface ReadPace {
  /** Runs work at the end of the tick. @defaultValue `setImmediate` */
  readonly defer?: (work: () => void) => void;
  /** Runs work a moment later. @defaultValue after 20 ms */
  readonly rest?: (work: () => void) => void;
}

/**
 * Makes one read of questions about the same key that are asked within a tick, while the read before
 * is under way, or within the rest after it: clients that come back by the thousand share a few reads,
 * also where a read takes no time. A read begins after each of its questions was asked and never takes
 * in a later one: whoever registers for changes and then asks misses nothing in between. There is at
 * most one read of a key at a time.
 */
export class GatheredReads<Question, Answer> {
  readonly #read: GatheredRead<Question, Answer>;
  readonly #defer: (work: () => void) => void;
  readonly #rest: (work: () => void) => void;
  readonly #gatherings = new Map<string, Gathering<Question, Answer>>();

  constructor(read: GatheredRead<Question, Answer>, pace: ReadPace = {}) {
    this.#read = read;
    this.#defer = pace.defer ?? ((work) => setImmediate(work));
    this.#rest = pace.rest ?? ((work) => setTimeout(work, restMs).unref());
  }

  /** Rejects with what its read rejects with; those who asked later get a read of their own. */
  ask(key: string, question: Question): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const waiter = { question, resolve, reject };
      const gathering = this.#gatherings.get(key);
      if (gathering !== undefined) {
        gathering.waiting.push(waiter);
        return;
      }
      const started = { waiting: [waiter] };
      this.#gatherings.set(key, started);
      this.#defer(() => void this.#work(key, started));
    });
  }

  async #work(key: string, gathering: Gathering<Question, Answer>): Promise<void> {
    const waiters = gathering.waiting;
    gathering.waiting = [];
    try {
      const answers = await this.#read(
        key,
        waiters.map(({ question }) => question),
      );
      for (const [index, waiter] of waiters.entries()) waiter.resolve(answers[index] as Answer);
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
    }
    this.#rest(() => {
      if (gathering.waiting.length > 0) void this.#work(key, gathering);
      else this.#gatherings.delete(key);
    });
  }
}
