import { concernsEverybody, type Store } from '@holdfast/store';
import type { Escalations } from './escalations.ts';
import type { InboxTables } from './inbox-module.ts';
import type { Sends } from './sends.ts';

/** What there is to do, and who is told when it cannot be done. */
export interface WorkerOptions {
  readonly store: Store<InboxTables>;
  readonly sends: Sends;
  readonly escalations: Escalations;
  readonly onProblem: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

const pollIntervalMs = 1000;
/** Sends that get a batch in turn, so that a short one need not wait for a long one. */
const sendsAtOnce = 16;

/**
 * What goes on by itself: scheduled and large sends, escalation. Runs in the process that is the
 * store's leader, looks every second, and at once when this process has something new.
 */
export class InboxWorker {
  readonly #options: WorkerOptions;
  readonly #stopping = new AbortController();
  readonly #stopPolling: () => void;
  readonly #loops = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#stopPolling = options.store.clock.every(pollIntervalMs, () => this.wake());
  }

  /** Looks at once for what there is to do, where this process does it. */
  wake(): void {
    const { sends, escalations } = this.#options;
    const failed = new Set<string>();
    this.#run('sends', () => this.#continueSends(sends, failed));
    this.#run('escalations', () => escalations.handOver());
    // Each for itself: a webhook that hangs does not keep e-mail waiting.
    for (const target of escalations.targets) {
      this.#run(`deliveries by ${target}`, () =>
        escalations.deliver(target, this.#stopping.signal),
      );
    }
  }

  /** Ends after the steps that are under way; attempts of escalations are broken off. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#stopPolling();
    await Promise.all(this.#loops.values());
  }

  /** What one send cannot do keeps none of the others waiting: it is left for the next poll. */
  async #continueSends(sends: Sends, failed: Set<string>): Promise<boolean> {
    const due = (await sends.due(sendsAtOnce)).filter((id) => !failed.has(id));
    let hasMore = due.length === sendsAtOnce;
    for (const id of due) {
      if (this.#isOver) return false;
      try {
        if (await sends.continue(id)) hasMore = true;
      } catch (error) {
        if (concernsEverybody(error)) throw error;
        failed.add(id);
        this.#options.onProblem({ message: `send ${id} cannot go on`, cause: error });
      }
    }
    return hasMore;
  }

  /** Repeats `step` while it says that there is more; a failure waits for the next poll. */
  #run(name: string, step: () => Promise<boolean>): void {
    if (this.#isOver) return;
    if (this.#loops.has(name)) {
      this.#again.add(name);
      return;
    }
    const loop = async (): Promise<void> => {
      try {
        do {
          this.#again.delete(name);
          while ((await step()) && !this.#isOver);
        } while (this.#again.has(name) && !this.#isOver);
      } catch (error) {
        this.#options.onProblem({ message: `the inbox's ${name} cannot go on`, cause: error });
      } finally {
        this.#loops.delete(name);
      }
    };
    this.#loops.set(name, loop());
  }

  /** Another process does it now, or nobody is to go on. */
  get #isOver(): boolean {
    return this.#stopping.signal.aborted || !this.#options.store.isLeader();
  }
}
