import type { KeyedHandle } from '../wire.ts';
import type { FollowedEvent } from './messages.ts';

type Change = FollowedEvent & { readonly type: 'change' };

/** What a shared poll needs of the connection and of the tabs. */
export interface SharedPollLinks {
  begin(): KeyedHandle | undefined;
  /** Several events are heard together. */
  send(to: readonly string[], events: readonly FollowedEvent[]): void;
}

/**
 * One shared poll of the shared connection: tracks the keys of all tabs, tells each tab of its own, and
 * keeps the newest value of each for tabs that come to it later.
 */
export class SharedPoll {
  readonly #links: SharedPollLinks;
  readonly #tabs = new Map<string, Set<string>>();
  readonly #newest = new Map<string, Change>();
  /** Tabs that came, or asked for more, while nobody knew whose connection the next one is. */
  readonly #waiting = new Set<string>();
  #handle: KeyedHandle | undefined;
  #state: FollowedEvent | undefined;
  #epoch: string | undefined;

  constructor(links: SharedPollLinks) {
    this.#links = links;
  }

  get tabs(): Iterable<string> {
    return this.#tabs.keys();
  }

  get isUnused(): boolean {
    return this.#tabs.size === 0;
  }

  add(tab: string, keys: readonly string[]): void {
    this.#tabs.set(tab, new Set());
    if (this.#handle === undefined) this.#handle = this.#links.begin();
    else if (this.#state !== undefined) this.#links.send([tab], [this.#state]);
    this.track(tab, keys);
  }

  track(tab: string, keys: readonly string[]): void {
    const own = this.#tabs.get(tab);
    if (own === undefined) return;
    const fresh = keys.filter((key) => !this.#isTracked(key));
    for (const key of keys) own.add(key);
    if (fresh.length > 0) this.#handle?.track(fresh);
    if (this.#state?.type === 'subscribed') this.#tellNewest(tab, keys);
    else this.#waiting.add(tab);
  }

  untrack(tab: string, keys: readonly string[]): void {
    for (const key of keys) this.#tabs.get(tab)?.delete(key);
    this.#giveUp(keys);
  }

  remove(tab: string): void {
    const keys = [...(this.#tabs.get(tab) ?? [])];
    this.#tabs.delete(tab);
    if (!this.isUnused) this.#giveUp(keys);
  }

  end(): void {
    this.#handle?.detach();
  }

  handle(event: FollowedEvent): void {
    if (event.type === 'change') {
      this.#change(event);
      return;
    }
    // The tabs hear whose the connection is, and drop theirs.
    if (event.type === 'reset') {
      this.#newest.clear();
      return;
    }
    if (event.type === 'subscribed') {
      if (event.epoch !== this.#epoch) this.#newest.clear();
      this.#epoch = event.epoch;
    }
    if (event.type !== 'error') this.#state = event;
    if (!this.isUnused) this.#links.send([...this.#tabs.keys()], [event]);
    if (event.type === 'unsubscribed') this.#tabs.clear();
    if (event.type !== 'subscribed') return;
    for (const tab of this.#waiting) this.#tellNewest(tab, this.#tabs.get(tab) ?? []);
    this.#waiting.clear();
  }

  #tellNewest(tab: string, keys: Iterable<string>): void {
    const known = [...keys].flatMap((key) => this.#newest.get(key) ?? []);
    if (known.length > 0) this.#links.send([tab], known);
  }

  #change(event: Change): void {
    const { key, entry } = event.change;
    const to = [...this.#tabs].filter(([, keys]) => keys.has(key)).map(([tab]) => tab);
    if (entry !== undefined) this.#newest.set(key, event);
    else {
      // It is not tracked any more: whoever wants it asks anew.
      this.#newest.delete(key);
      for (const keys of this.#tabs.values()) keys.delete(key);
    }
    if (to.length > 0) this.#links.send(to, [event]);
  }

  #giveUp(keys: readonly string[]): void {
    const free = keys.filter((key) => !this.#isTracked(key));
    for (const key of free) this.#newest.delete(key);
    if (free.length > 0) this.#handle?.untrack(free);
  }

  #isTracked(key: string): boolean {
    return [...this.#tabs.values()].some((keys) => keys.has(key));
  }
}
