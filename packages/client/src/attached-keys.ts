import type { Centrifuge } from 'centrifuge';
import { attachKeyed, type EngineMap, type EnginePoll } from './attach-keyed.ts';
import { forgetToken } from './engine.ts';
import type { KeyedEvent, KeyedHandle, KeyedRequest } from './wire.ts';

export interface AttachedKeysOptions {
  readonly report: (event: KeyedEvent) => void;
  readonly backoff: { readonly minDelayMs: number; readonly maxDelayMs: number };
}

/** Keys of one channel that are followed over an engine. */
export class AttachedKeys implements KeyedHandle {
  readonly #engine: Centrifuge;
  readonly #request: KeyedRequest;
  readonly #options: AttachedKeysOptions;
  /** Of a shared poll: those that were asked for, and not given up or refused. */
  readonly #tracked = new Set<string>();
  #subscription: EngineMap | EnginePoll | undefined;

  constructor(engine: Centrifuge, request: KeyedRequest, options: AttachedKeysOptions) {
    this.#engine = engine;
    this.#request = request;
    this.#options = options;
    this.#attach();
  }

  /** Undefined for a shared poll, and once detached. */
  get map(): EngineMap | undefined {
    const subscription = this.#subscription;
    return subscription !== undefined && 'remove' in subscription ? subscription : undefined;
  }

  track(keys: readonly string[]): void {
    for (const key of keys) this.#tracked.add(key);
    this.#poll?.track([...keys]);
  }

  untrack(keys: readonly string[]): void {
    for (const key of keys) this.#tracked.delete(key);
    this.#poll?.untrack([...keys]);
  }

  /** The token of the subscription may be another user's than the next connection. */
  forgetToken(): void {
    if (this.#subscription !== undefined) forgetToken(this.#subscription);
  }

  detach(): void {
    const subscription = this.#subscription;
    if (subscription === undefined) return;
    this.#subscription = undefined;
    subscription.unsubscribe();
    this.#engine.removeSubscription(subscription as never);
  }

  /**
   * Another user has the connection. The engine would show the server what allowed the one before to
   * track the keys, and give them up for good when that is refused: they are asked for anew.
   */
  changeUser(): void {
    const poll = this.#poll;
    if (poll === undefined) return;
    this.#options.report({ type: 'reset' });
    // One that the server ended stays as it is, until somebody asks for it.
    if ((poll.state as string) === 'unsubscribed') return;
    this.detach();
    this.#attach();
    this.#poll?.track([...this.#tracked]);
  }

  get #poll(): EnginePoll | undefined {
    const subscription = this.#subscription;
    return subscription !== undefined && 'track' in subscription ? subscription : undefined;
  }

  #attach(): void {
    const { report, backoff } = this.#options;
    const subscription = attachKeyed(this.#engine, this.#request, {
      report: (event) => {
        if (this.#subscription !== subscription) return;
        if (event.type === 'change' && event.change.entry === undefined) {
          this.#tracked.delete(event.change.key);
        }
        report(event);
      },
      backoff,
    });
    this.#subscription = subscription;
    subscription.subscribe();
  }
}
