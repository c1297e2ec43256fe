import type { Answer, HubHandlers, HubNotices, HubQuestions } from './events.ts';
import type { Logger } from './hub.ts';

/** The application's handlers: those that are asked before something happens, those told after. */
export class EventHandlers {
  readonly #logger: Logger;
  readonly #handlers = new Map<string, ((event: never) => unknown)[]>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Adds a handler; returns the function that removes it. */
  on<Name extends keyof HubHandlers>(name: Name, handler: HubHandlers[Name]): () => void {
    const handlers = this.#handlers.get(name) ?? [];
    this.#handlers.set(name, [...handlers, handler]);
    return () => {
      const rest = (this.#handlers.get(name) ?? []).filter((other) => other !== handler);
      if (rest.length === 0) this.#handlers.delete(name);
      else this.#handlers.set(name, rest);
    };
  }

  isAsked(name: keyof HubQuestions): boolean {
    return this.#handlers.has(name);
  }

  /** Asks in turn; undefined when nobody has an answer. Rejects with what a handler throws. */
  async ask<Name extends keyof HubQuestions>(
    name: Name,
    event: Parameters<HubQuestions[Name]>[0],
  ): Promise<Answer<Name> | undefined> {
    for (const handler of this.#handlers.get(name) ?? []) {
      const answer = (await handler(event as never)) as Answer<Name> | undefined;
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /** Tells all; what they throw is logged. */
  notify<Name extends keyof HubNotices>(name: Name, event: Parameters<HubNotices[Name]>[0]): void {
    const handlers = this.#handlers.get(name);
    if (handlers === undefined) return;
    for (const handler of handlers) {
      void this.#notifyOne(name, () => handler(event as never));
    }
  }

  async #notifyOne(name: string, call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#logger.error({ err: error }, `a handler of '${name}' threw`);
    }
  }
}
