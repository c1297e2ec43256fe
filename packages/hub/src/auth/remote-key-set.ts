import type { Clock } from '../clock.ts';
import type { LabelledCounter } from '../metrics.ts';
import type { JwksFetch } from './jwks-fetch.ts';
import { type JwksKey, type JwksKeys, parseJwks } from './jwks-document.ts';
import type { JwksOptions } from './jwt-options.ts';
import type { JwksUrl } from './jwks-url.ts';
import type { ThrottledLog } from './throttled-log.ts';

export interface RemoteKeySetPorts {
  readonly options: Pick<JwksOptions, 'cacheTtlMs' | 'maxStaleMs' | 'cooldownMs'>;
  readonly fetch: JwksFetch;
  readonly clock: Clock;
  readonly log: ThrottledLog;
  /** Reads by outcome, `ok` and `error`. */
  readonly reads: LabelledCounter;
}

/**
 * The key set behind one URL, as remembered.
 *
 * - Fresh for `cacheTtlMs`; then read again before it is used.
 * - When that fails it is used on, up to `maxStaleMs`, and after the first failure without waiting.
 * - A `kid` that it lacks makes it read again, because keys may have been rotated.
 * - All reads of it, whatever asked for them, are one at a time and `cooldownMs` apart.
 */
export class RemoteKeySet {
  readonly #target: JwksUrl;
  readonly #ports: RemoteKeySetPorts;
  #keys: JwksKeys | undefined;
  /** When the read that brought `#keys` began, so that keys published before it are in there. */
  #readAt = Number.NEGATIVE_INFINITY;
  #attemptedAt = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;
  #pending: Promise<void> | undefined;

  constructor(target: JwksUrl, ports: RemoteKeySetPorts) {
    this.#target = target;
    this.#ports = ports;
  }

  /** Whether it could be read at least once. */
  get wasRead(): boolean {
    return this.#keys !== undefined;
  }

  /** Why the last read failed; undefined when it did not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /**
   * The keys with this `kid`.
   * @returns `unknown` when the set was read after the question was asked and has no such key,
   * `unavailable` when that cannot be said: no usable set, or it may have changed since.
   */
  async find(kid: string): Promise<readonly JwksKey[] | 'unknown' | 'unavailable'> {
    const { clock, options } = this.#ports;
    const askedAt = clock.monotonic();
    if (askedAt - this.#readAt >= options.cacheTtlMs) {
      const refreshed = this.#refresh();
      if (this.#failure === undefined || !this.#usableKeys()) await refreshed;
    }
    let keys = this.#usableKeys();
    if (!keys?.has(kid) && this.#readAt < askedAt) {
      await this.#refresh();
      keys = this.#usableKeys();
    }
    const found = keys?.get(kid);
    if (found) return found;
    return keys && this.#readAt >= askedAt ? 'unknown' : 'unavailable';
  }

  #usableKeys(): JwksKeys | undefined {
    const { clock, options } = this.#ports;
    return clock.monotonic() - this.#readAt < options.maxStaleMs ? this.#keys : undefined;
  }

  /** Joins the read that is under way, or begins one unless the last is too recent. Never rejects. */
  async #refresh(): Promise<void> {
    const { clock, options } = this.#ports;
    if (!this.#pending) {
      const now = clock.monotonic();
      if (now - this.#attemptedAt < options.cooldownMs) return;
      this.#attemptedAt = now;
      this.#pending = this.#read(now).finally(() => {
        this.#pending = undefined;
      });
    }
    await this.#pending;
  }

  async #read(startedAt: number): Promise<void> {
    const { fetch, reads } = this.#ports;
    const { url, isHostTemplated } = this.#target;
    let result: JwksKeys | string;
    try {
      result = parseJwks(await fetch(url, { publicAddressesOnly: isHostTemplated }));
    } catch (error) {
      result = error instanceof Error ? error.message : String(error);
    }
    if (typeof result === 'string') {
      this.#failure = result;
      reads.add('error');
      this.#report(result);
      return;
    }
    this.#keys = result;
    this.#readAt = startedAt;
    this.#failure = undefined;
    reads.add('ok');
  }

  #report(problem: string): void {
    const { log, clock, options } = this.#ports;
    const { url } = this.#target;
    // Without query and fragment: some endpoints carry an API key there.
    const endpoint = `${url.origin}${url.pathname}`;
    const usable = this.#usableKeys();
    const minutes = Math.round((clock.monotonic() - this.#readAt) / 60_000);
    const consequence = usable
      ? `the keys of ${minutes} minutes ago stay in use until they are ${Math.round(options.maxStaleMs / 60_000)} minutes old`
      : 'clients with tokens get error 100 and try again until it works';
    log.warn(
      'jwks',
      { endpoint, problem },
      `The key set of the token issuer could not be read: ${problem}. Until it can be, ${consequence}. ` +
        `Check jwks_public_endpoint, and that this machine can read it: curl -v '${endpoint}'`,
    );
  }
}
