import type { Position } from '../wire.ts';
import type { ChannelKind, FollowedEvent, WantedChannel } from './messages.ts';

export interface FollowedChannelLinks {
  /** Asks the leader for the channel, if there is one. */
  attach(wanted: WantedChannel): void;
  report(event: FollowedEvent): void;
  /** Of a shared poll: gives what allows to track keys. */
  sign?(keys: readonly string[]): Promise<unknown>;
}

/**
 * A tab's end of a channel: what it asked for, where it is, and what of the leaders' events is news to
 * it, since a new leader may repeat what the one before had said.
 */
export class FollowedChannel {
  readonly kind: ChannelKind;
  protected readonly links: FollowedChannelLinks;
  readonly #wanted: Omit<WantedChannel, 'since' | 'keys'>;
  #position: Position | undefined;
  /** Of a map: it has all of it, so that changes make sense. */
  #isWhole: boolean;
  /** Of a shared poll: the keys that are tracked, and which version of each was heard last. */
  readonly #versions = new Map<string, number>();
  #epoch: string | undefined;
  #isSubscribed = false;

  constructor({ since, ...wanted }: WantedChannel, links: FollowedChannelLinks) {
    this.kind = wanted.kind;
    this.links = links;
    this.#wanted = wanted;
    this.#position = since;
    this.#isWhole = this.kind !== 'map';
  }

  /** What a leader is told. Undefined: nothing yet. */
  get wanted(): WantedChannel | undefined {
    return {
      ...this.#wanted,
      ...(this.#position === undefined ? {} : { since: this.#position }),
      ...(this.kind === 'poll' ? { keys: [...this.#versions.keys()] } : {}),
    };
  }

  get channel(): string {
    return this.#wanted.channel;
  }

  open(): void {
    const { wanted } = this;
    if (wanted !== undefined) this.links.attach(wanted);
  }

  close(): void {
    // Nothing is under way.
  }

  async sign(keys: readonly string[]): Promise<unknown> {
    return this.links.sign?.(keys);
  }

  track(keys: readonly string[]): void {
    for (const key of keys) if (!this.#versions.has(key)) this.#versions.set(key, 0);
  }

  untrack(keys: readonly string[]): void {
    for (const key of keys) this.#versions.delete(key);
  }

  hear(event: FollowedEvent): void {
    if (!this.#isNews(event)) return;
    if (event.type === 'subscribed') this.#isSubscribed = true;
    else if (event.type === 'subscribing' || event.type === 'unsubscribed') {
      this.#isSubscribed = false;
    }
    this.links.report(event);
  }

  /** Nobody holds the connection. */
  lose(): void {
    if (this.#isSubscribed) this.hear({ type: 'subscribing', code: 1, reason: 'transport closed' });
  }

  protected startAt(position: Position): void {
    this.#position = position;
  }

  protected isAt(place: Position | undefined): boolean {
    const own = this.#position;
    return own?.offset === place?.offset && own?.epoch === place?.epoch;
  }

  #isNews(event: FollowedEvent): boolean {
    switch (event.type) {
      case 'subscribed':
        this.#subscribed(event);
        return true;
      case 'sync':
        this.#position = event.position;
        this.#isWhole = true;
        return true;
      case 'publication':
        return this.#advance(event.publication.offset);
      case 'change':
        if (this.kind === 'poll') return this.#isNewVersion(event);
        return this.#isWhole && this.#advance(event.offset);
      case 'reset':
        this.#forgetVersions();
        return true;
      case 'subscribing':
      case 'unsubscribed':
      case 'error':
      case 'join':
      case 'leave':
        return true;
    }
  }

  #subscribed({ recovered, position, epoch }: FollowedEvent & { type: 'subscribed' }): void {
    if (epoch !== this.#epoch) this.#forgetVersions();
    this.#epoch = epoch;
    if (recovered && isAhead(this.#position, position)) return;
    if (!recovered && this.kind === 'map') this.#isWhole = false;
    // Of a map that comes anew, the place is that of its entries.
    this.#position = this.#isWhole ? position : undefined;
  }

  #forgetVersions(): void {
    for (const key of this.#versions.keys()) this.#versions.set(key, 0);
  }

  #advance(offset: number | undefined): boolean {
    const position = this.#position;
    if (offset === undefined || position === undefined) return true;
    if (offset <= position.offset) return false;
    this.#position = { ...position, offset };
    return true;
  }

  #isNewVersion({ change, version = 0 }: FollowedEvent & { type: 'change' }): boolean {
    const known = this.#versions.get(change.key);
    if (known === undefined) return false;
    // The server tracks it no longer, and whoever wants it must ask anew.
    if (change.entry === undefined) return this.#versions.delete(change.key);
    if (version !== 0 && version <= known) return false;
    this.#versions.set(change.key, version);
    return true;
  }
}

/** Whether what follows `place` was heard already. */
function isAhead(own: Position | undefined, place: Position | undefined): boolean {
  return own !== undefined && own.epoch === place?.epoch && own.offset > place.offset;
}
