import type { Clock } from '../clock.ts';
import type { Position } from '../ports/broker.ts';
import type { JournaledResult } from '../ports/channel-journal.ts';
import type { IdempotencyCache, RememberedResult } from './idempotency-cache.ts';
import { toMonotonic, toUnix } from './wall-clock.ts';

interface RepeatedResult {
  readonly position?: Position;
  readonly suppressed?: string;
}

/** The results of an idempotency cache on their way to a journal and back. */
export class JournaledResults<Result extends RepeatedResult> {
  readonly #cache: IdempotencyCache<Result>;
  readonly #clock: Clock;
  /** Not in the journal yet, by channel. */
  readonly #unsaved = new Map<string, RememberedResult<Result>[]>();

  constructor(cache: IdempotencyCache<Result>, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  add(entry: RememberedResult<Result>): void {
    const entries = this.#unsaved.get(entry.channel);
    if (entries) entries.push(entry);
    else this.#unsaved.set(entry.channel, [entry]);
  }

  /** What the journal does not have; from now on it counts as having it. */
  take(channel: string): readonly JournaledResult[] {
    const entries = this.#unsaved.get(channel);
    if (!entries) return [];
    this.#unsaved.delete(channel);
    return entries.map((entry) => this.#journaled(entry));
  }

  restore(channel: string, results: readonly JournaledResult[]): void {
    const now = this.#clock.monotonic();
    for (const { idempotencyKey, position, expireAt } of results) {
      const deadline = toMonotonic(expireAt, this.#clock);
      if (deadline <= now) continue;
      // The one shape that results of repetitions have, of streams and of maps.
      const result = { ...(position && { position }), suppressed: 'idempotency' } as Result;
      this.#cache.add({ channel, key: idempotencyKey, result, deadline }, now);
    }
  }

  /** Forgets results that did not come to be. */
  discard(channel: string, results: readonly JournaledResult[]): void {
    for (const { idempotencyKey } of results) this.#cache.forget(channel, idempotencyKey);
    for (const { key } of this.#unsaved.get(channel) ?? []) this.#cache.forget(channel, key);
    this.#unsaved.delete(channel);
  }

  /** Everything remembered of the channels that `isWanted` names. */
  byChannel(isWanted: (channel: string) => boolean): Map<string, readonly JournaledResult[]> {
    const found = new Map<string, JournaledResult[]>();
    for (const entry of this.#cache.entries(this.#clock.monotonic())) {
      const { channel } = entry;
      const results = found.get(channel);
      if (results) results.push(this.#journaled(entry));
      else if (isWanted(channel)) found.set(channel, [this.#journaled(entry)]);
    }
    return found;
  }

  #journaled({ key, result, deadline }: RememberedResult<Result>): JournaledResult {
    const { position } = result;
    return {
      idempotencyKey: key,
      ...(position && { position }),
      expireAt: toUnix(deadline, this.#clock),
    };
  }
}
