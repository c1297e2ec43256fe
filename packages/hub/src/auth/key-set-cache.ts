import type { JwksUrl } from './jwks-url.ts';
import { type RemoteKeySetPorts, RemoteKeySet } from './remote-key-set.ts';

/**
 * The key sets of all URLs that tokens led to. Bounded: beyond `maxKeySets` the least recently used
 * one goes, of those that never could be read first, so that made-up URLs cannot push out real ones.
 */
export class KeySetCache {
  readonly #ports: RemoteKeySetPorts;
  readonly #maxKeySets: number;
  readonly #sets = new Map<string, RemoteKeySet>();

  constructor(ports: RemoteKeySetPorts, maxKeySets: number) {
    this.#ports = ports;
    this.#maxKeySets = maxKeySets;
  }

  get size(): number {
    return this.#sets.size;
  }

  /** The one set of a URL; only its keys may verify tokens that lead there. */
  at(target: JwksUrl): RemoteKeySet {
    const { href } = target.url;
    const known = this.#sets.get(href);
    // A map remembers the order of insertion, which so becomes the order of use.
    if (known) this.#sets.delete(href);
    else if (this.#sets.size >= this.#maxKeySets) this.#evict();
    const set = known ?? new RemoteKeySet(target, this.#ports);
    this.#sets.set(href, set);
    return set;
  }

  #evict(): void {
    let victim: string | undefined;
    for (const [href, set] of this.#sets) {
      victim ??= href;
      if (set.wasRead) continue;
      victim = href;
      break;
    }
    if (victim !== undefined) this.#sets.delete(victim);
  }
}
