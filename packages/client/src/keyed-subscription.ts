import { ClientError } from './client-error.ts';
import { deliver } from './deliver.ts';
import type { Entry, MapSubscription, PollSubscription } from './keyed.ts';
import type { KeyedRegistry } from './keyed-registry.ts';
import type { KeyedUse, KeyedView } from './keyed-view.ts';
import type { SubscriptionState } from './subscription.ts';
import type { Call, KeyedRequest } from './wire.ts';

type Entries<Value> = ReadonlyMap<string, Entry<Value>>;

/** One use of a channel with keys. */
class KeyedSubscription<Value> {
  readonly channel: string;
  protected readonly registry: KeyedRegistry;
  protected readonly use: KeyedUse;
  readonly #view: KeyedView;
  readonly #listeners = new Set<() => void>();
  #entries: Entries<Value>;
  #isClosed = false;

  constructor(registry: KeyedRegistry, request: KeyedRequest) {
    this.channel = request.channel;
    this.registry = registry;
    this.use = {
      told: request.options,
      keys: request.kind === 'poll' ? new Set() : undefined,
      notify: () => this.#changed(),
    };
    this.#view = registry.open(request, this.use);
    this.#entries = this.#view.entriesFor(this.use) as Entries<Value>;
  }

  get state(): SubscriptionState {
    return this.#view.state;
  }

  get entries(): Entries<Value> {
    return this.#entries;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  close(): void {
    this.#isClosed = true;
    this.registry.close(this.channel, this.use);
  }

  #changed(): void {
    this.#entries = this.#view.entriesFor(this.use) as Entries<Value>;
    for (const listener of this.#listeners) deliver(listener);
  }
}

export class LiveMap<Value> extends KeyedSubscription<Value> implements MapSubscription<Value> {
  readonly #call: (call: Call) => Promise<unknown>;

  constructor(
    registry: KeyedRegistry,
    request: KeyedRequest,
    call: (call: Call) => Promise<unknown>,
  ) {
    super(registry, request);
    this.#call = call;
  }

  async set(key: string, data: Value): Promise<void> {
    this.#checkOpen();
    await this.#call({ type: 'map_set', channel: this.channel, key, data });
  }

  async remove(key: string): Promise<void> {
    this.#checkOpen();
    await this.#call({ type: 'map_remove', channel: this.channel, key });
  }

  #checkOpen(): void {
    if (!this.isClosed) return;
    throw new ClientError('misused', 'the subscription to this map was closed');
  }
}

export class LivePoll<Value> extends KeyedSubscription<Value> implements PollSubscription<Value> {
  track(keys: readonly string[]): void {
    this.registry.track(this.channel, this.use, keys);
  }

  untrack(keys: readonly string[]): void {
    this.registry.untrack(this.channel, this.use, keys);
  }
}
