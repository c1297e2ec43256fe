import type { Entry } from '../keyed.ts';
import type { Position } from '../wire.ts';
import type { FollowedEvent } from './messages.ts';

/** A tab's place in a channel. */
interface Listener {
  /** The newest event that was sent to it. Undefined: it has nothing that could be continued. */
  position: Position | undefined;
  /** It has been told that it is subscribed, and hears what happens. */
  isActive: boolean;
  /** The stream did not reach back to where it was. */
  hasMissed: boolean;
}

/** What a channel needs of the connection and of the tabs. */
export interface SharedChannelLinks {
  /** Subscribes, or begins anew from another place. */
  begin(since: Position | undefined): void;
  end(): void;
  /** Several events are heard together. */
  send(to: readonly string[], events: readonly FollowedEvent[]): void;
}

/**
 * One stream or map of the shared connection: a single subscription on the wire, and the tabs that hear
 * it, each with its own place. A tab that comes with an older place makes the subscription begin anew
 * from there; the others do not hear a second time what they had. Of a map a copy is kept from the
 * first time that the whole of it came, for tabs that come without a place.
 */
export class SharedChannel {
  readonly #isMap: boolean;
  readonly #links: SharedChannelLinks;
  readonly #tabs = new Map<string, Listener>();
  /** The map at `#position`. Undefined: only changes are known. */
  #entries: Map<string, Entry> | undefined;
  /** Of the subscription on the wire. */
  #position: Position | undefined;
  #isSubscribed = false;
  /** Where the subscribe under way asked to continue. */
  #requested: Position | undefined;
  #isAttached = false;

  constructor(kind: 'stream' | 'map', links: SharedChannelLinks) {
    this.#isMap = kind === 'map';
    this.#links = links;
  }

  get isUnused(): boolean {
    return this.#tabs.size === 0;
  }

  add(tab: string, since: Position | undefined): void {
    this.#tabs.set(tab, { position: since, isActive: false, hasMissed: false });
    if (!this.#isAttached) this.#attach(since);
    else if (this.#isSubscribed) this.#settle();
    else if (since !== undefined && this.#isLaterThan(since)) this.#attach(since);
  }

  remove(tab: string): void {
    this.#tabs.delete(tab);
  }

  end(): void {
    if (this.#isAttached) this.#links.end();
    this.#isAttached = false;
  }

  /** Another user has the connection: what tabs are given from now on is what the server gives. */
  forget(): void {
    this.#entries = undefined;
  }

  handle(event: FollowedEvent): void {
    switch (event.type) {
      case 'subscribing':
        if (this.#isSubscribed) this.#requested = this.#position;
        this.#isSubscribed = false;
        for (const listener of this.#tabs.values()) listener.isActive = false;
        this.#tell([...this.#tabs.keys()], event);
        break;
      case 'subscribed':
        this.#subscribed(event);
        break;
      case 'sync':
        this.#entries = new Map(event.entries.map((entry) => [entry.key, entry]));
        break;
      case 'change':
        if (event.change.entry === undefined) this.#entries?.delete(event.change.key);
        else this.#entries?.set(event.change.key, event.change.entry);
        this.#move(event, event.offset);
        break;
      case 'publication':
        this.#move(event, event.publication.offset);
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
      case 'reset':
        // Of shared polls alone.
        break;
    }
  }

  /** Whether the subscribe under way asked for less than what follows `place`. */
  #isLaterThan(place: Position): boolean {
    // The whole of a map is asked for once, and then shows who is behind it.
    if (this.#requested === undefined) return !this.#isMap;
    return isBefore(place, this.#requested);
  }

  #attach(since: Position | undefined): void {
    if (this.#isAttached) this.#links.end();
    this.#isAttached = true;
    this.#isSubscribed = false;
    this.#requested = since;
    for (const listener of this.#tabs.values()) listener.isActive = false;
    this.#links.begin(since);
  }

  #subscribed(event: FollowedEvent & { readonly type: 'subscribed' }): void {
    this.#isSubscribed = true;
    this.#position = event.position;
    if (event.recovered) this.#recovered(event);
    else this.#missed(event);
    // What was recovered, or the whole map, is reported in this same turn.
    queueMicrotask(() => {
      if (this.#isSubscribed) this.#settle();
    });
  }

  /**
   * Everything after the requested place follows. That is what most tabs need; one with a place of
   * another epoch missed something, and for one that is further behind the subscription begins anew.
   */
  #recovered(event: FollowedEvent & { readonly type: 'subscribed' }): void {
    const from = this.#requested ?? event.position;
    for (const [tab, listener] of this.#tabs) {
      const { position } = listener;
      if (position === undefined) continue;
      if (position.epoch !== from?.epoch) miss(listener);
      else if (!isBefore(position, this.#requested)) {
        listener.isActive = true;
        this.#tell([tab], { ...event, wasRecovering: true, position });
      }
    }
  }

  /** The stream does not reach back to the requested place: later ones may still be in it. */
  #missed({ position: top }: FollowedEvent & { readonly type: 'subscribed' }): void {
    for (const listener of this.#tabs.values()) {
      const { position } = listener;
      if (position === undefined || !isBefore(position, top)) continue;
      const wasTried = top?.epoch !== position.epoch || !isBefore(this.#requested, position);
      if (wasTried) miss(listener);
    }
  }

  /** Brings in the tabs that wait, where the subscription is now, or begins anew where they need it. */
  #settle(): void {
    const waiting = [...this.#tabs].filter(([, { isActive }]) => !isActive);
    let earliest: Position | undefined;
    for (const [, { position }] of waiting) {
      if (position === undefined || !isBefore(position, this.#position)) continue;
      if (earliest === undefined || isBefore(position, earliest)) earliest = position;
    }
    const isWhole = !this.#isMap || this.#entries !== undefined;
    if (earliest !== undefined) this.#attach(earliest);
    else if (!isWhole && waiting.some(([, { position }]) => position === undefined)) {
      this.#attach(undefined);
    } else this.#activate(waiting);
  }

  #activate(waiting: readonly (readonly [string, Listener])[]): void {
    const fresh = { missed: [] as string[], new: [] as string[] };
    for (const [tab, listener] of waiting) {
      const { position, hasMissed } = listener;
      listener.isActive = true;
      listener.hasMissed = false;
      if (position === undefined) {
        listener.position = this.#position;
        fresh[hasMissed ? 'missed' : 'new'].push(tab);
      } else this.#tell([tab], subscribedAt(position, { wasRecovering: true, recovered: true }));
    }
    // All that have nothing are told together, since that can be much.
    const sync: FollowedEvent[] = [];
    if (this.#entries !== undefined && fresh.missed.length + fresh.new.length > 0) {
      const entries = [...this.#entries.values()];
      sync.push({ type: 'sync', entries, ...placed(this.#position) });
    }
    for (const [what, to] of Object.entries(fresh)) {
      const told = { wasRecovering: what === 'missed', recovered: false };
      if (to.length > 0) this.#links.send(to, [subscribedAt(this.#position, told), ...sync]);
    }
  }

  #move(event: FollowedEvent, offset: number | undefined): void {
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

  #tell(to: readonly string[], event: FollowedEvent): void {
    if (to.length > 0) this.#links.send(to, [event]);
  }
}

function miss(listener: Listener): void {
  listener.position = undefined;
  listener.hasMissed = true;
}

function subscribedAt(
  position: Position | undefined,
  told: { readonly wasRecovering: boolean; readonly recovered: boolean },
): FollowedEvent {
  return { type: 'subscribed', ...told, ...placed(position) };
}

function placed(position: Position | undefined): { position?: Position } {
  return position === undefined ? {} : { position };
}

/** Whether something lies between `place` and `other`, as far as can be known. */
function isBefore(place: Position | undefined, other: Position | undefined): boolean {
  if (other === undefined) return place !== undefined;
  if (place === undefined) return true;
  return place.epoch !== other.epoch || place.offset < other.offset;
}
