import type { ClientInfo } from '@holdfast/protocol';
import type { Broadcast } from './broadcast.ts';
import { Conflator } from './conflator.ts';
import { loseState } from './end-subscription.ts';
import type { SubscribeGrant } from './events.ts';
import type { SharedPush } from './message-encoder.ts';
import type { ChannelRules } from './namespaces.ts';
import type { Position } from './ports/broker.ts';
import { isSameEpoch } from './recovery.ts';
import type { Session } from './session.ts';

export interface SubscriptionOptions {
  readonly session: Session;
  readonly channel: string;
  readonly rules: ChannelRules;
  readonly isServerSide: boolean;
}

/** Live publications held while a subscribe is under way; more means the channel outruns us. */
const maxHeldBroadcasts = 10_000;

/**
 * One session in one channel.
 *
 *   joining ──goLive──▶ live ──end──▶ ended
 *      └─────────────end────────────────┘
 *
 * While `joining`, publications are held; `goLive` delivers those that the subscribe result did not
 * already contain. In a positioned subscription every delivery must be the next offset: a repetition
 * is dropped, a gap ends the subscription with "insufficient state", so that the client recovers.
 * Conflation comes after that: what it leaves out has still counted as delivered here.
 */
export class Subscription {
  readonly session: Session;
  readonly channel: string;
  readonly rules: ChannelRules;
  readonly isServerSide: boolean;
  state: 'joining' | 'live' | 'ended' = 'joining';
  grant: SubscribeGrant = {};
  isPositioned = false;
  isRecoverable = false;
  wantsJoinLeave = false;
  /** Set when the server keeps presence for this subscription. */
  hasPresence = false;
  emitsJoinLeave = false;
  offset = 0;
  epoch = '';
  /** Clients that negotiated deltas get all data in delta form; see `broadcast.ts`. */
  usesDelta = false;
  /** The client holds the previous publication, so that a patch against it can be applied. */
  hasDeltaBase = false;
  /** Map subscriptions: keys whose previous value the client does not hold. */
  #keysWithoutBase: Set<string> | undefined;
  /** Map subscriptions whose client is still fetching pages. `Clock.monotonic` milliseconds. */
  catchUpBy: number = Infinity;
  isReadingPage = false;
  /** Where the stream stood when the first page of the state was read. */
  frozen: Position | undefined;
  filter: ((tags: Readonly<Record<string, string>> | undefined) => boolean) | undefined;
  /** `Clock.monotonic` milliseconds. */
  expiresAt: number = Infinity;
  lastPositionCheck = 0;
  /** A stream top that a check found ahead of us; still ahead a moment later, it proves a loss. */
  suspectedTop: Position | undefined;
  #held: (Broadcast | SharedPush)[] | undefined = [];
  readonly #conflator: Conflator<Broadcast> | undefined;
  /** With conflation: offset of the publication that the client got last. */
  #sentOffset = 0;

  constructor({ session, channel, rules, isServerSide }: SubscriptionOptions) {
    this.session = session;
    this.channel = channel;
    this.rules = rules;
    this.isServerSide = isServerSide;
    this.#conflator = this.#createConflator();
  }

  /** A map subscription whose client has some pages, and asks for more. */
  get isPaging(): boolean {
    return this.state === 'joining' && this.catchUpBy !== Infinity;
  }

  get clientInfo(): ClientInfo {
    const info = this.session.clientInfo;
    return this.grant.info === undefined ? info : { ...info, chan_info: this.grant.info };
  }

  /** Takes a publication from the channel. Hot path. */
  deliver(broadcast: Broadcast): void {
    if (this.state !== 'live') {
      this.#hold(broadcast);
      return;
    }
    const { position } = broadcast;
    if (this.isPositioned && position !== undefined) {
      if (position.offset <= this.offset && position.epoch === this.epoch) return;
      if (position.offset !== this.offset + 1 || !isSameEpoch(this.epoch, position.epoch)) {
        loseState(this);
        return;
      }
      this.offset = position.offset;
      this.epoch = position.epoch;
    }
    if (broadcast.excludeClient === this.session.id) {
      this.#conflator?.discard(this.#conflationKey(broadcast));
      this.#noteBase(broadcast, false);
      return;
    }
    if (this.filter !== undefined && !this.filter(broadcast.publication.tags)) return;
    if (this.#conflator === undefined) this.#send(broadcast);
    else this.#conflator.offer(this.#conflationKey(broadcast), broadcast);
  }

  #conflationKey({ publication: { key, tags } }: Broadcast): string {
    return key ?? tags?.[this.rules.options.conflationKeyTag] ?? '';
  }

  #createConflator(): Conflator<Broadcast> | undefined {
    const { hub } = this.session;
    const { conflationIntervalMs: intervalMs } = this.rules.options;
    if (intervalMs === 0) return undefined;
    return new Conflator<Broadcast>({
      intervalMs,
      clock: hub.clock,
      timers: hub.timers,
      deliver: (broadcast) => this.#sendConflated(broadcast),
      dropped: (_, broadcast) => {
        hub.metrics.conflated += 1;
        this.#noteBase(broadcast, false);
      },
    });
  }

  /** As {@link #send}, for one that may not be the next in the stream. */
  #sendConflated(broadcast: Broadcast): void {
    if (this.state !== 'live') return;
    const { position } = broadcast;
    if (position !== undefined && !this.rules.isMap) {
      // Patches are made against the publication before, and the client may have an older one.
      if (position.offset !== this.#sentOffset + 1) this.hasDeltaBase = false;
      this.#sentOffset = position.offset;
    }
    this.#send(broadcast);
  }

  #send(broadcast: Broadcast): void {
    const message = broadcast.messageFor(this);
    this.#noteBase(broadcast, true);
    if (message === null) this.session.refusePayload();
    else this.session.deliver(message);
  }

  /** Whether the client can apply a patch of this publication against the one before it. */
  holdsBaseOf({ publication }: Broadcast): boolean {
    if (!this.rules.isMap) return this.hasDeltaBase;
    return this.#keysWithoutBase?.has(publication.key ?? '') !== true;
  }

  /** What the client holds after a publication: of a map, per key; of a stream, the latest. */
  #noteBase({ publication: { key = '' }, position }: Broadcast, isDelivered: boolean): void {
    if (!this.usesDelta) return;
    if (!this.rules.isMap) {
      // Patches are made against the stream, so data from outside of it is no base for them.
      this.hasDeltaBase = isDelivered && position !== undefined;
    } else if (isDelivered) {
      this.#keysWithoutBase?.delete(key);
    } else {
      this.#keysWithoutBase ??= new Set();
      this.#keysWithoutBase.add(key);
    }
  }

  /** Takes a push that has no position, in order with the others. */
  deliverShared(push: SharedPush): void {
    if (this.state === 'live') this.session.deliverPush(push);
    else this.#hold(push);
  }

  /** Takes a join or leave of the channel. */
  deliverMembership(push: SharedPush): void {
    if (this.wantsJoinLeave) this.deliverShared(push);
  }

  #hold(item: Broadcast | SharedPush): void {
    if (this.#held === undefined) return;
    this.#held.push(item);
    if (this.#held.length > maxHeldBroadcasts) loseState(this);
  }

  /** Begins live delivery. Must follow the subscribe result in the same turn of the event loop. */
  goLive(now: number): void {
    const held = this.#held;
    this.#held = undefined;
    this.state = 'live';
    this.#sentOffset = this.offset;
    this.catchUpBy = Infinity;
    this.lastPositionCheck = now;
    for (const item of held ?? []) {
      // A delivery may end the subscription.
      if ((this.state as 'live' | 'ended') === 'ended') return;
      if ('position' in item) this.deliver(item);
      else this.session.deliverPush(item);
    }
  }

  end(): void {
    this.state = 'ended';
    this.#held = undefined;
    this.#conflator?.close();
  }
}
