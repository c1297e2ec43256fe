import type { DirectWire } from '../direct-wire.ts';
import type { ChannelEvent } from '../wire.ts';
import type { FollowedEvent, ServerPlaces } from './messages.ts';
import { SharedChannel } from './shared-channel.ts';

type Connection = Pick<DirectWire, 'state' | 'acceptsPlacesOf' | 'continueServerChannel'>;

export interface ServerChannelTableOptions {
  /** Undefined until a tab has come. */
  readonly connection: () => Connection | undefined;
  /** All that there are: each hears of every channel. */
  readonly tabs: () => Iterable<string>;
  readonly send: (to: readonly string[], channel: string, events: readonly FollowedEvent[]) => void;
}

/**
 * The channels of the shared connection that the server subscribes to, each with the places of all tabs.
 * A channel is here from the moment that a tab or the server tells of it until it ends.
 */
export class ServerChannelTable {
  readonly #options: ServerChannelTableOptions;
  readonly #channels = new Map<string, SharedChannel>();

  constructor(options: ServerChannelTableOptions) {
    this.#options = options;
  }

  /** Takes a tab in at its places. The connection begins anew where it has passed them. */
  add(tab: string, { user, channels }: ServerPlaces): void {
    const places = new Map(channels.map(({ channel, since }) => [channel, since]));
    for (const name of places.keys()) {
      const reason = this.#whyNot(name, user);
      if (reason === undefined) this.#open(name);
      else {
        places.delete(name);
        this.#options.send([tab], name, [{ type: 'unsubscribed', code: 0, reason }]);
      }
    }
    for (const [name, channel] of this.#channels) channel.add(tab, places.get(name));
  }

  remove(tab: string): void {
    for (const channel of this.#channels.values()) channel.remove(tab);
  }

  handle(name: string, event: ChannelEvent): void {
    let channel = this.#channels.get(name);
    if (event.type === 'subscribed') channel ??= this.#open(name);
    channel?.handle(event);
    if (event.type === 'unsubscribed') this.#channels.delete(name);
  }

  /** Why a channel that a tab heard of is not continued. */
  #whyNot(name: string, user: string): string | undefined {
    const connection = this.#options.connection();
    if (connection?.acceptsPlacesOf(user) !== true) {
      return 'the connection belongs to another user now';
    }
    const isEnded = connection.state.status === 'connected' && !this.#channels.has(name);
    return isEnded ? 'the server ended it' : undefined;
  }

  #open(name: string): SharedChannel {
    const { connection, tabs, send } = this.#options;
    const existing = this.#channels.get(name);
    if (existing !== undefined) return existing;
    const channel = new SharedChannel('stream', {
      begin: (since) => connection()?.continueServerChannel(name, since),
      end: () => undefined,
      send: (to, events) => send(to, name, events),
    });
    this.#channels.set(name, channel);
    for (const tab of tabs()) channel.add(tab, undefined);
    return channel;
  }
}
