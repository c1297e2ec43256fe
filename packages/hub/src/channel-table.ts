import type { ClientInfo } from '@holdfast/protocol';
import { Broadcast } from './broadcast.ts';
import { SharedPush } from './message-encoder.ts';
import type { HubMetrics } from './metrics.ts';
import type { ChannelRules } from './namespaces.ts';
import type { Broker, BrokerPublication } from './ports/broker.ts';
import type { Subscription } from './subscription.ts';

/** What brings a channel's publications to this node: a broker, of streams or of maps. */
export type ChannelSource = Pick<Broker, 'subscribe' | 'unsubscribe'>;

/** A channel that has, or just had, subscribers on this node. */
export interface Channel {
  readonly name: string;
  readonly rules: ChannelRules;
  readonly subscriptions: ReadonlySet<Subscription>;
}

class Entry implements Channel {
  readonly name: string;
  readonly rules: ChannelRules;
  readonly subscriptions = new Set<Subscription>();
  /** Whether the broker delivers this channel to us. */
  isAttached = false;
  /** The running change of {@link isAttached}; at most one per channel, so they cannot overtake. */
  change: Promise<void> | undefined;

  constructor(name: string, rules: ChannelRules) {
    this.name = name;
    this.rules = rules;
  }
}

/**
 * Who on this node listens to what. Keeps the broker's subscriptions in step with ours (the first
 * subscriber subscribes the node, the last one unsubscribes it) and fans out what the broker delivers.
 */
export class ChannelTable {
  readonly #source: ChannelSource;
  readonly #metrics: HubMetrics;
  readonly #entries = new Map<string, Entry>();
  readonly #onDetachFailed: (channel: string, error: unknown) => void;

  constructor(options: {
    readonly source: ChannelSource;
    readonly metrics: HubMetrics;
    /** Told when the broker could not end a subscription, which nobody waits for. */
    readonly onDetachFailed: (channel: string, error: unknown) => void;
  }) {
    this.#source = options.source;
    this.#metrics = options.metrics;
    this.#onDetachFailed = options.onDetachFailed;
  }

  /**
   * Adds a subscription. When the result is, or resolves to, undefined, later publications of the
   * channel reach it. Rejects, and forgets the subscription, when the broker refuses.
   */
  attach(subscription: Subscription): Promise<void> | undefined {
    const { channel, rules } = subscription;
    let entry = this.#entries.get(channel);
    if (entry === undefined) {
      entry = new Entry(channel, rules);
      this.#entries.set(channel, entry);
      this.#metrics.channels += 1;
    }
    entry.subscriptions.add(subscription);
    this.#metrics.subscriptions += 1;
    return this.#settle(entry)?.catch((error: unknown) => {
      this.detach(subscription);
      throw error;
    });
  }

  detach(subscription: Subscription): void {
    const entry = this.#entries.get(subscription.channel);
    if (entry === undefined || !entry.subscriptions.delete(subscription)) return;
    this.#metrics.subscriptions -= 1;
    if (entry.subscriptions.size > 0) return;
    this.#settle(entry)?.catch((error: unknown) => this.#onDetachFailed(entry.name, error));
  }

  /** Brings the broker's subscription in step, one change at a time; undefined when it is. */
  #settle(entry: Entry): Promise<void> | undefined {
    if (entry.change === undefined && isOutOfStep(entry)) entry.change = this.#change(entry);
    else this.#forgetIfUnused(entry);
    return entry.change;
  }

  async #change(entry: Entry): Promise<void> {
    try {
      while (isOutOfStep(entry)) {
        if (entry.isAttached) {
          // Counts as detached even when this fails: a repeated subscribe is harmless.
          entry.isAttached = false;
          await this.#source.unsubscribe(entry.name);
        } else {
          await this.#source.subscribe(entry.name);
          entry.isAttached = true;
        }
      }
    } finally {
      // In the same turn as the last check, so that nobody waits for a change that is over.
      entry.change = undefined;
      this.#forgetIfUnused(entry);
    }
  }

  #forgetIfUnused(entry: Entry): void {
    if (entry.change !== undefined || entry.isAttached || entry.subscriptions.size > 0) return;
    if (this.#entries.delete(entry.name)) this.#metrics.channels -= 1;
  }

  get(name: string): Channel | undefined {
    return this.#entries.get(name);
  }

  values(): IterableIterator<Channel> {
    return this.#entries.values();
  }

  /** Hands a publication to every subscription of this node. Hot path. */
  publication(event: BrokerPublication): void {
    const entry = this.#entries.get(event.channel);
    if (entry === undefined) return;
    const broadcast = new Broadcast(event);
    for (const subscription of entry.subscriptions) subscription.deliver(broadcast);
  }

  membership(channel: string, kind: 'join' | 'leave', info: ClientInfo): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined) return;
    const push = new SharedPush({ channel, [kind]: { info } });
    for (const subscription of entry.subscriptions) subscription.deliverMembership(push);
  }
}

function isOutOfStep(entry: Entry): boolean {
  return entry.subscriptions.size > 0 !== entry.isAttached;
}
