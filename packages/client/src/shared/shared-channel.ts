import type { ChannelEvent, ChannelOptions, Position } from '../wire.ts';

/** A tab's place in a channel. */
interface Listener {
  /** The newest publication that was sent to it. */
  position: Position | undefined;
  /** It has been told that it is subscribed, and hears what happens. */
  isActive: boolean;
}

/** What a channel needs of the connection and of the tabs. */
export interface SharedChannelLinks {
  /** Subscribes, or begins anew from an older place. */
  begin(since: Position | undefined): void;
  end(): void;
  send(to: readonly string[], event: ChannelEvent): void;
}

/**
 * One channel of the shared connection: a single subscription on the wire, and the tabs that hear it,
 * each with its own place in the stream. A tab that comes with an older place makes the subscription
 * begin anew from there; the others do not hear a second time what they had.
 */
export class SharedChannel {
  readonly options: ChannelOptions;
  readonly #links: SharedChannelLinks;
  readonly #tabs = new Map<string, Listener>();
  /** Of the subscription on the wire. */
  #position: Position | undefined;
  #isSubscribed = false;
  /** Where the subscribe under way asked to continue. */
  #requested: Position | undefined;
  #isAttached = false;

  constructor(options: ChannelOptions, links: SharedChannelLinks) {
    this.options = options;
    this.#links = links;
  }

  get isUnused(): boolean {
    return this.#tabs.size === 0;
  }

  add(tab: string, since: Position | undefined): void {
    this.#tabs.set(tab, { position: since, isActive: false });
    if (!this.#isAttached) this.#attach(since);
    else if (!this.#isSubscribed) {
      const isEarlier =
        since !== undefined && (this.#requested === undefined || isBefore(since, this.#requested));
      if (isEarlier) this.#attach(since);
    } else if (since === undefined) this.#activate();
    else if (isBefore(since, this.#position)) this.#attach(since);
    else this.#activate();
  }

  remove(tab: string): void {
    this.#tabs.delete(tab);
  }

  end(): void {
    if (this.#isAttached) this.#links.end();
    this.#isAttached = false;
  }

  handle(event: ChannelEvent): void {
    switch (event.type) {
      case 'subscribing':
        if (this.#isSubscribed) this.#requested = this.#position;
        this.#isSubscribed = false;
        this.#tell([...this.#tabs.keys()], event);
        break;
      case 'subscribed':
        this.#subscribed(event);
        break;
      case 'publication':
        this.#publication(event);
        break;
      case 'unsubscribed':
        this.#isSubscribed = false;
        this.#tell([...this.#tabs.keys()], event);
        this.#tabs.clear();
        break;
      case 'join':
      case 'leave':
        this.#tell(this.#active(), event);
        break;
      case 'error':
        this.#tell([...this.#tabs.keys()], event);
        break;
    }
  }

  #attach(since: Position | undefined): void {
    if (this.#isAttached) this.#links.end();
    this.#isAttached = true;
    this.#isSubscribed = false;
    this.#requested = since;
    this.#links.begin(since);
  }

  #subscribed(event: ChannelEvent & { readonly type: 'subscribed' }): void {
    const requested = this.#requested;
    this.#isSubscribed = true;
    this.#position = event.position;
    if (event.recovered) this.#recovered(event, requested);
    else this.#missed(event, requested);
    // What was recovered is reported in this same turn. Tabs that asked for no place in the stream
    // come in after it.
    queueMicrotask(() => {
      if (this.#isSubscribed) this.#activate();
    });
  }

  /**
   * Everything after `requested` follows. That is what most tabs need; one with a place of another epoch
   * missed something, and for one that is further behind the subscription begins anew.
   */
  #recovered(
    event: ChannelEvent & { readonly type: 'subscribed' },
    requested: Position | undefined,
  ): void {
    let earliest: Position | undefined;
    for (const [tab, listener] of this.#tabs) {
      const { position } = listener;
      if (position === undefined) continue;
      const recovered = position.epoch === (requested ?? event.position)?.epoch;
      if (recovered && isBefore(position, requested)) {
        if (earliest === undefined || isBefore(position, earliest)) earliest = position;
        continue;
      }
      listener.isActive = true;
      listener.position = recovered ? position : event.position;
      this.#tell([tab], {
        ...event,
        wasRecovering: true,
        recovered,
        ...(listener.position === undefined ? {} : { position: listener.position }),
      });
    }
    if (earliest !== undefined) this.#attach(earliest);
  }

  /** The stream does not reach back to `requested`: some tabs missed something, others may not have. */
  #missed(
    event: ChannelEvent & { readonly type: 'subscribed' },
    requested: Position | undefined,
  ): void {
    const top = event.position;
    let earliest: Position | undefined;
    for (const [tab, listener] of this.#tabs) {
      const { position } = listener;
      if (position === undefined) continue;
      const isAtTop = top !== undefined && !isBefore(position, top);
      const wasTried =
        !isAtTop &&
        (top?.epoch !== position.epoch ||
          requested === undefined ||
          !isBefore(requested, position));
      if (isAtTop || wasTried) {
        listener.position = isAtTop ? position : top;
        listener.isActive = true;
        this.#tell([tab], {
          ...event,
          wasRecovering: true,
          recovered: isAtTop,
          ...(listener.position === undefined ? {} : { position: listener.position }),
        });
      } else if (earliest === undefined || isBefore(position, earliest)) earliest = position;
    }
    if (earliest !== undefined) this.#attach(earliest);
  }

  /** Brings in the tabs that wait, at the place where the subscription is now. */
  #activate(): void {
    for (const [tab, listener] of this.#tabs) {
      if (listener.isActive) continue;
      const since = listener.position;
      const isKept = since !== undefined && !isBefore(since, this.#position);
      listener.isActive = true;
      listener.position = isKept ? since : this.#position;
      this.#tell([tab], {
        type: 'subscribed',
        wasRecovering: since !== undefined,
        recovered: isKept,
        ...(listener.position === undefined ? {} : { position: listener.position }),
      });
    }
  }

  #publication(event: ChannelEvent & { readonly type: 'publication' }): void {
    const { offset } = event.publication;
    if (offset === undefined || this.#position === undefined) {
      this.#tell(this.#active(), event);
      return;
    }
    const position = { ...this.#position, offset };
    this.#position = position;
    const to: string[] = [];
    for (const [tab, listener] of this.#tabs) {
      if (!listener.isActive || !isBefore(listener.position, position)) continue;
      listener.position = position;
      to.push(tab);
    }
    this.#tell(to, event);
  }

  #active(): readonly string[] {
    return [...this.#tabs].filter(([, { isActive }]) => isActive).map(([tab]) => tab);
  }

  #tell(to: readonly string[], event: ChannelEvent): void {
    if (to.length > 0) this.#links.send(to, event);
  }
}

/** Whether something lies between `place` and `other`, as far as can be known. */
function isBefore(place: Position | undefined, other: Position | undefined): boolean {
  if (other === undefined) return place !== undefined;
  if (place === undefined) return true;
  return place.epoch !== other.epoch || place.offset < other.offset;
}
