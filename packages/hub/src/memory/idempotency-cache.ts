const defaultTtlMs = 300_000;

/** What callers say about the repetition of a publish. */
export interface IdempotencyOptions {
  readonly idempotencyKey?: string;
  /** @defaultValue 300000 */
  readonly idempotencyTtlMs?: number;
}

/** A result, and what repeats it. */
export interface RememberedResult<Result> {
  readonly channel: string;
  readonly key: string;
  readonly result: Result;
  /** Monotonic milliseconds. */
  readonly deadline: number;
}

/** Remembers the results of publishes by channel and key, the newest ones up to a limit. */
export class IdempotencyCache<Result> {
  readonly #maxKeys: number;
  /** In the order of insertion, which with a common TTL is the order of expiry. */
  readonly #entries = new Map<string, RememberedResult<Result>>();
  #evicted = 0;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Keys forgotten before their time because the limit was reached. */
  get evicted(): number {
    return this.#evicted;
  }

  /** The result of an earlier publish with the same key; always undefined without a key. */
  get(channel: string, { idempotencyKey }: IdempotencyOptions, now: number): Result | undefined {
    if (idempotencyKey === undefined) return undefined;
    const entry = this.#entries.get(nameOf(channel, idempotencyKey));
    return entry && entry.deadline > now ? entry.result : undefined;
  }

  /** Those whose time is not over, the oldest first. */
  *entries(now: number): Generator<RememberedResult<Result>, void, undefined> {
    for (const entry of this.#entries.values()) if (entry.deadline > now) yield entry;
  }

  /** Returns what it remembers now; undefined without a key. */
  remember(
    channel: string,
    options: IdempotencyOptions,
    { result, now }: { readonly result: Result; readonly now: number },
  ): RememberedResult<Result> | undefined {
    const { idempotencyKey: key, idempotencyTtlMs = defaultTtlMs } = options;
    if (key === undefined) return undefined;
    const entry = { channel, key, result, deadline: now + idempotencyTtlMs };
    this.add(entry, now);
    return entry;
  }

  /** Remembers a result that came from elsewhere. */
  add(entry: RememberedResult<Result>, now: number): void {
    const name = nameOf(entry.channel, entry.key);
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    if (this.#entries.size <= this.#maxKeys) return;
    for (const [oldest, { deadline }] of this.#entries) {
      this.#entries.delete(oldest);
      if (deadline > now) this.#evicted += 1;
      return;
    }
  }

  forget(channel: string, key: string): void {
    this.#entries.delete(nameOf(channel, key));
  }

  /** Drops expired keys from the front. */
  sweep(now: number): void {
    for (const [name, { deadline }] of this.#entries) {
      if (deadline > now) return;
      this.#entries.delete(name);
    }
  }
}

/** The length tells a channel and a key apart that run together. */
function nameOf(channel: string, key: string): string {
  return `${channel.length}:${channel}${key}`;
}
