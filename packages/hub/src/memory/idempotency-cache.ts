const defaultTtlMs = 300_000;

/** What callers say about the repetition of a publish. */
export interface IdempotencyOptions {
  readonly idempotencyKey?: string;
  /** @defaultValue 300000 */
  readonly idempotencyTtlMs?: number;
}

/** Remembers the results of publishes by channel and key, the newest ones up to a limit. */
export class IdempotencyCache<Result> {
  readonly #maxKeys: number;
  /** In the order of insertion, which with a common TTL is the order of expiry. */
  readonly #entries = new Map<string, { readonly result: Result; readonly deadline: number }>();
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

  /** Does nothing without a key. */
  remember(
    channel: string,
    options: IdempotencyOptions,
    { result, now }: { readonly result: Result; readonly now: number },
  ): void {
    const { idempotencyKey, idempotencyTtlMs = defaultTtlMs } = options;
    if (idempotencyKey === undefined) return;
    const name = nameOf(channel, idempotencyKey);
    this.#entries.delete(name);
    this.#entries.set(name, { result, deadline: now + idempotencyTtlMs });
    if (this.#entries.size <= this.#maxKeys) return;
    for (const [oldest, { deadline }] of this.#entries) {
      this.#entries.delete(oldest);
      if (deadline > now) this.#evicted += 1;
      return;
    }
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
