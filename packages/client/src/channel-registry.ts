import { ClientError } from './client-error.ts';
import { deliver } from './deliver.ts';
import type { Environment } from './environment.ts';
import {
  nextState,
  subscribingState,
  type SubscriptionOptions,
  type SubscriptionState,
  unsubscribedState,
} from './subscription.ts';
import type { ChannelEvent, ChannelOptions, Wire } from './wire.ts';

/** One use of a channel, as the registry sees it. */
export interface ChannelUse {
  readonly options: SubscriptionOptions;
  notify(): void;
}

class Channel {
  readonly uses = new Set<ChannelUse>();
  readonly options: ChannelOptions;
  state: SubscriptionState = subscribingState;
  cancelDetach: () => void = () => undefined;

  constructor(options: ChannelOptions) {
    this.options = options;
  }
}

/** Counts the uses of each channel, and gives each of them what happens in it. */
export class ChannelRegistry {
  readonly #channels = new Map<string, Channel>();
  readonly #wire: () => Wire;
  readonly #environment: Environment;

  constructor(wire: () => Wire, environment: Environment) {
    this.#wire = wire;
    this.#environment = environment;
  }

  stateOf(channel: string): SubscriptionState {
    return this.#channels.get(channel)?.state ?? unsubscribedState;
  }

  /** @throws {@link ClientError} `misused` when the channel is in use with other options. */
  open(name: string, use: ChannelUse): void {
    const options = channelOptions(use.options);
    const existing = this.#channels.get(name);
    if (existing !== undefined && existing.state.status !== 'unsubscribed') {
      if (!isCompatible(existing.options, options)) {
        throw new ClientError(
          'misused',
          `the channel is in use with other options: all subscriptions of a channel share theirs`,
        );
      }
      existing.cancelDetach();
      existing.uses.add(use);
      return;
    }
    // One that the server ended is asked for anew, for its earlier uses as well.
    if (existing !== undefined) this.#wire().detach(name);
    existing?.cancelDetach();
    const channel = new Channel(options);
    for (const earlier of existing?.uses ?? []) channel.uses.add(earlier);
    channel.uses.add(use);
    this.#channels.set(name, channel);
    this.#wire().attach(name, options, use.options.since);
    for (const other of channel.uses) other.notify();
  }

  /**
   * The subscription ends a moment after its last use, so that a component that is unmounted and
   * mounted again keeps its place in the stream.
   */
  close(name: string, use: ChannelUse): void {
    const channel = this.#channels.get(name);
    if (channel?.uses.delete(use) !== true || channel.uses.size > 0) return;
    channel.cancelDetach = this.#environment.after(0, () => {
      if (this.#channels.get(name) !== channel) return;
      this.#channels.delete(name);
      this.#wire().detach(name);
    });
  }

  handle(name: string, event: ChannelEvent): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    channel.state = nextState(channel.state, event);
    for (const use of channel.uses) {
      deliver(() => tell(use, event, channel.state));
      if (event.type !== 'join' && event.type !== 'leave') deliver(() => use.notify());
    }
  }

  clear(): void {
    for (const channel of this.#channels.values()) channel.cancelDetach();
    this.#channels.clear();
  }
}

function channelOptions(options: SubscriptionOptions): ChannelOptions {
  const { data, token, positioned, recoverable, joinLeave, tagsFilter, delta, getState } = options;
  const given = { data, token, positioned, recoverable, joinLeave, tagsFilter, delta, getState };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as ChannelOptions;
}

/** Whether one subscription can serve both. Functions are each caller's own business. */
export function isCompatible<Options extends object>(existing: Options, wanted: Options): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => JSON.stringify(existing[name as keyof Options]) === JSON.stringify(value),
  );
}

function tell({ options }: ChannelUse, event: ChannelEvent, state: SubscriptionState): void {
  switch (event.type) {
    case 'publication':
      options.onPublication?.(event.publication);
      break;
    case 'subscribed':
      options.onSubscribed?.(state);
      break;
    case 'join':
      options.onJoin?.(event.info);
      break;
    case 'leave':
      options.onLeave?.(event.info);
      break;
    case 'subscribing':
    case 'unsubscribed':
    case 'error':
      break;
  }
}
