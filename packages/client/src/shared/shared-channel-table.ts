import type { DirectWire } from '../direct-wire.ts';
import type { PollOptions } from '../keyed.ts';
import type { ChannelEvent, KeyedHandle, KeyedRequest, Position } from '../wire.ts';
import type { FollowedEvent, WantedChannel } from './messages.ts';
import { SharedChannel } from './shared-channel.ts';
import { SharedPoll } from './shared-poll.ts';

type Connection = Pick<DirectWire, 'attach' | 'detach' | 'attachKeyed'>;
type Signature = Awaited<ReturnType<PollOptions['getSignature']>>;

interface Row {
  /** What all tabs must ask for alike. */
  readonly terms: string;
  readonly channel: SharedChannel | SharedPoll;
}

export interface SharedChannelTableOptions {
  /** Undefined until a tab has come. */
  readonly connection: () => Connection | undefined;
  readonly send: (to: readonly string[], channel: string, events: readonly FollowedEvent[]) => void;
  /** Asks one of the tabs for the signature that allows to track keys of a shared poll. */
  readonly sign: (
    question: { readonly channel: string; readonly keys: readonly string[] },
    tabs: Iterable<string>,
  ) => Promise<Signature>;
}

/** The channels of the shared connection that tabs asked for. */
export class SharedChannelTable {
  readonly #options: SharedChannelTableOptions;
  readonly #rows = new Map<string, Row>();

  constructor(options: SharedChannelTableOptions) {
    this.#options = options;
  }

  /** Takes a tab into a channel, at its place. */
  add(tab: string, wanted: WantedChannel): void {
    const { channel: name, kind, options, since, keys = [] } = wanted;
    let row = this.#rows.get(name);
    // One that the server ended has nobody left; asking for it again is a new beginning.
    if (row?.channel.isUnused === true) {
      row.channel.end();
      row = undefined;
    }
    const terms = JSON.stringify([kind, options]);
    if (row !== undefined && row.terms !== terms) {
      this.#refuse(tab, name, 'another tab has this channel with other options');
      return;
    }
    const { channel } = row ?? { channel: this.#make(wanted) };
    this.#rows.set(name, { terms, channel });
    try {
      if (channel instanceof SharedPoll) channel.add(tab, keys);
      else channel.add(tab, since);
    } catch (error) {
      // The engine does not take these options.
      this.#rows.delete(name);
      this.#refuse(tab, name, (error as Error).message);
    }
  }

  track(tab: string, { channel, keys }: { channel: string; keys: readonly string[] }): void {
    this.#pollOf(channel)?.track(tab, keys);
  }

  untrack(tab: string, { channel, keys }: { channel: string; keys: readonly string[] }): void {
    this.#pollOf(channel)?.untrack(tab, keys);
  }

  /** Takes a tab out of one channel, or of all. What nobody uses any more stays until {@link dropUnused}. */
  remove(tab: string, channel?: string): void {
    for (const [name, row] of this.#rows) {
      if (channel === undefined || channel === name) row.channel.remove(tab);
    }
  }

  dropUnused(): void {
    for (const [name, { channel }] of this.#rows) {
      if (!channel.isUnused) continue;
      channel.end();
      this.#rows.delete(name);
    }
  }

  /** Something happened in a stream. */
  handle(name: string, event: ChannelEvent): void {
    this.#rows.get(name)?.channel.handle(event);
  }

  /** Another user has the connection. */
  forget(): void {
    for (const { channel } of this.#rows.values()) {
      if (channel instanceof SharedChannel) channel.forget();
    }
  }

  #pollOf(name: string): SharedPoll | undefined {
    const channel = this.#rows.get(name)?.channel;
    return channel instanceof SharedPoll ? channel : undefined;
  }

  #refuse(tab: string, channel: string, reason: string): void {
    this.#options.send([tab], channel, [{ type: 'unsubscribed', code: 0, reason }]);
  }

  #make({ channel: name, kind, options }: WantedChannel): SharedChannel | SharedPoll {
    const { connection, sign } = this.#options;
    const send = (to: readonly string[], events: readonly FollowedEvent[]): void =>
      this.#options.send(to, name, events);
    if (kind === 'stream') {
      return new SharedChannel(kind, {
        begin: (since) => connection()?.attach(name, options, since),
        end: () => connection()?.detach(name),
        send,
      });
    }
    const attach = (request: KeyedRequest): KeyedHandle | undefined =>
      connection()?.attachKeyed(request, (event) => channel.handle(event));
    let handle: KeyedHandle | undefined;
    const channel =
      kind === 'map'
        ? new SharedChannel(kind, {
            begin: (since) => {
              handle = attach({
                channel: name,
                kind,
                options,
                ...at(since),
              });
            },
            end: () => handle?.detach(),
            send,
          })
        : new SharedPoll({
            begin: () => {
              const getSignature = async (keys: readonly string[]): Promise<Signature> =>
                sign({ channel: name, keys }, (channel as SharedPoll).tabs);
              return attach({ channel: name, kind, options: { ...options, getSignature } });
            },
            send,
          });
    return channel;
  }
}

function at(since: Position | undefined): { readonly since?: Position } {
  return since === undefined ? {} : { since };
}
