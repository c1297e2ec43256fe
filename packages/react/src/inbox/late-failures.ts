import type { InboxStore } from '@holdfast/client/inbox';

/** What is to be said, and by whom. Never changed in place. */
export interface LateSnapshot {
  /** What the user had done, in words; the newest last. */
  readonly what: readonly string[];
  /** Of all that could, the one that says it. */
  readonly teller: object | undefined;
}

/** More of them at once say nothing more. */
const maxTold = 3;

/**
 * Changes of the user that failed when the panel in which they were made was gone: the drawer says so,
 * although it is closed, until the user has taken note or opens a panel, which shows it then.
 */
class LateFailures {
  #snapshot: LateSnapshot = { what: [], teller: undefined };
  readonly #tellers: object[] = [];
  readonly #listeners = new Set<() => void>();

  readonly getSnapshot = (): LateSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  add(what: string): void {
    const others = this.#snapshot.what.filter((other) => other !== what);
    this.#set([...others, what].slice(-maxTold));
  }

  clear(): void {
    if (this.#snapshot.what.length > 0) this.#set([]);
  }

  /** There may be several bells in a page, and it is said once. */
  addTeller(teller: object): () => void {
    this.#tellers.push(teller);
    this.#set();
    return () => {
      this.#tellers.splice(this.#tellers.indexOf(teller), 1);
      this.#set();
    };
  }

  #set(what = this.#snapshot.what): void {
    this.#snapshot = { what, teller: this.#tellers[0] };
    for (const listener of this.#listeners) listener();
  }
}

const known = new WeakMap<InboxStore, LateFailures>();

/** The same for each use of an inbox. */
export function lateFailuresOf(inbox: InboxStore): LateFailures {
  let failures = known.get(inbox);
  if (failures === undefined) known.set(inbox, (failures = new LateFailures()));
  return failures;
}
