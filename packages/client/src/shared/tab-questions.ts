import type { Question } from './messages.ts';

/** How long a tab may take to answer before another one is asked. */
const timeoutMs = 15_000;

/** What the leader asks the tabs for, since only pages have the application's functions. */
export class TabQuestions {
  readonly #send: (tab: string, id: number, question: Question) => void;
  readonly #open = new Map<number, { readonly tab: string; resolve(value: unknown): void }>();
  #nextId = 1;

  constructor(send: (tab: string, id: number, question: Question) => void) {
    this.#send = send;
  }

  /** Asks one tab after the other until one has an answer. */
  async ask(question: Question, tabs: Iterable<string>): Promise<unknown> {
    for (const tab of tabs) {
      const value = await this.#askOne(tab, question);
      if (value !== undefined) return value;
    }
    throw new Error(`no tab could give a ${question.keys === undefined ? 'token' : 'signature'}`);
  }

  answer(id: number, value: unknown): void {
    this.#open.get(id)?.resolve(value);
  }

  /** A tab is gone: what it was asked, the next one is asked at once. */
  giveUpOn(tab: string): void {
    for (const question of this.#open.values())
      if (question.tab === tab) question.resolve(undefined);
  }

  async #askOne(tab: string, question: Question): Promise<unknown> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    this.#open.set(id, { tab, resolve });
    this.#send(tab, id, question);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#open.delete(id);
    }
  }
}
