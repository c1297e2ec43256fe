import type { HubContext } from '../hub-context.ts';
import type { ChannelRules } from '../namespaces.ts';
import type { Subscription } from '../subscription.ts';
import { PollChannel } from './poll-channel.ts';

/** The shared-poll channels that have subscribers on this node. */
export class PollTable {
  readonly #hub: HubContext;
  readonly #channels = new Map<string, PollChannel>();

  constructor(hub: HubContext) {
    this.#hub = hub;
  }

  get(name: string): PollChannel | undefined {
    return this.#channels.get(name);
  }

  /** Adds a subscription to its channel, which comes into being with the first one. */
  join(subscription: Subscription): PollChannel {
    const { channel: name, rules } = subscription;
    const channel = this.#channels.get(name) ?? this.#create(name, rules);
    channel.add(subscription);
    return channel;
  }

  #create(name: string, rules: ChannelRules): PollChannel {
    const channel = new PollChannel(this.#hub, { name, rules }, () => {
      if (this.#channels.get(name) === channel) this.#channels.delete(name);
    });
    this.#channels.set(name, channel);
    return channel;
  }

  leave(subscription: Subscription): void {
    this.#channels.get(subscription.channel)?.remove(subscription);
  }
}
