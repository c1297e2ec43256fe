import { CallQueue } from './call-queue.ts';
import { ChannelRegistry, type ChannelUse } from './channel-registry.ts';
import { type ConnectionState, idleState } from './connection-state.ts';
import { deliver } from './deliver.ts';
import { type Diagnosis, diagnose } from './diagnose.ts';
import { DirectWire } from './direct-wire.ts';
import { createEnvironment } from './environment.ts';
import type { MapOptions, MapSubscription, PollOptions, PollSubscription } from './keyed.ts';
import { KeyedRegistry } from './keyed-registry.ts';
import { LiveMap, LivePoll } from './keyed-subscription.ts';
import {
  type ClientOptions,
  type ConnectionOptions,
  defaultPublishQueue,
  resolveConnectionOptions,
} from './options.ts';
import {
  nextState,
  type Subscription,
  subscribingState,
  type SubscriptionOptions,
  type SubscriptionState,
} from './subscription.ts';
import type {
  ChannelEvent,
  ClientInfo,
  HistoryOptions,
  Position,
  Publication,
  Wire,
  WireEvents,
} from './wire.ts';

/** How often and how long a publish is tried. */
export interface PublishOptions {
  /** While a publish with this key waits, publishing again gives the same promise and sends nothing. */
  readonly idempotencyKey?: string;
  /**
   * Whether to send again when the connection ended before the answer. The protocol has no
   * idempotency key for publishes by clients, so that this is the choice between at least once (true)
   * and at most once (false, which rejects with `outcome_unknown`). @defaultValue true
   */
  readonly retry?: boolean;
  /** @defaultValue `publishQueue.timeoutMs` */
  readonly timeoutMs?: number;
}

/** Publications of a channel, and its position when they were read. */
export interface History<Data = unknown> extends Position {
  readonly publications: readonly Publication<Data>[];
}

/** How many are in a channel. */
export interface PresenceStats {
  readonly clients: number;
  readonly users: number;
}

/** What is told of the channels that the server subscribes this connection to. */
export interface ServerChannelListeners<Data = unknown> {
  /** In order, and exactly once in recoverable channels. What it throws is thrown outside of the client. */
  readonly onPublication?: (publication: Publication<Data>) => void;
  /**
   * The server subscribed to a channel, or ended that; or the connection returned, before what was
   * missed is delivered (`recovered` false: something may have been missed).
   */
  readonly onSubscription?: (channel: string, state: SubscriptionState) => void;
}

/** A connection to a Holdfast server that stays up. Made by `createClient` or `createSharedClient`. */
export interface Client {
  /** A new object after each change. */
  readonly state: ConnectionState;
  /** Calls `listener` after each change of `state`, until the returned function is called. */
  onChange(listener: () => void): () => void;
  /** Starts connecting, and never gives up by itself. */
  connect(): void;
  /** Ends the connection until `connect`. Subscriptions stay and continue from their positions. */
  disconnect(): void;
  /**
   * Replaces the token and connects anew with it at once; `''` asks `getToken`. It may be another
   * user's: tokens of channels are asked for anew.
   */
  setToken(token: string): void;
  /**
   * Subscribes to a channel. Publications are delivered in order; in recoverable channels exactly
   * once, across losses of the connection, unless `state.recovered` says otherwise.
   *
   * @throws {@link ClientError} `misused` when the channel is in use with other options.
   */
  subscribe<Data = unknown>(
    channel: string,
    options?: SubscriptionOptions<Data>,
  ): Subscription<Data>;
  /** The channels that the server subscribed this connection to; a new map after each change. */
  readonly serverChannels: ReadonlyMap<string, SubscriptionState>;
  /** Tells of them from now on, until the returned function is called. */
  onServerChannels<Data = unknown>(listeners: ServerChannelListeners<Data>): () => void;
  /**
   * Follows a map channel: all its keys at first, then each change. Several uses of one channel share
   * one subscription on the wire.
   *
   * @throws {@link ClientError} `misused` when the channel is in use with other options.
   */
  subscribeMap<Value = unknown>(
    channel: string,
    options?: MapOptions<Value>,
  ): MapSubscription<Value>;
  /**
   * Follows those keys of a shared-poll channel that are tracked. Of several uses the first one's
   * `getSignature` is asked, for the keys of all. Otherwise like `subscribeMap`.
   */
  subscribePoll<Value = unknown>(
    channel: string,
    options: PollOptions<Value>,
  ): PollSubscription<Value>;
  /**
   * Publishes, or waits for a connection to do so: in order, bounded in number and time. The promise
   * settles exactly once.
   *
   * @throws {@link ClientError} `refused`, `queue_full`, `timed_out`, `outcome_unknown`, `closed`
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<void>;
  /** Calls the application's method. Never sent twice: `outcome_unknown` when no answer came. */
  rpc(method: string, data?: unknown): Promise<unknown>;
  history<Data = unknown>(channel: string, options?: HistoryOptions): Promise<History<Data>>;
  /** Who is subscribed, by connection id. */
  presence(channel: string): Promise<Readonly<Record<string, ClientInfo>>>;
  presenceStats(channel: string): Promise<PresenceStats>;
  /** Time of one question and its answer, or undefined when there was no answer. */
  measureRoundTrip(): Promise<number | undefined>;
  /** Finds out over plain HTTP what keeps this client from connecting, and says it in words. */
  diagnose(): Promise<Diagnosis>;
  /** Ends everything: subscriptions, waiting calls, the connection. */
  close(): void;
}

/** Makes the wire of a client, which reports to `events`. */
export type WireFactory = (options: ConnectionOptions, events: WireEvents) => Wire;

/**
 * A client with a connection of its own. It connects when `connect` is called.
 *
 * @throws {@link ClientError} `misused` for a URL that is none.
 * @example
 * ```ts
 * const client = createClient({ url: 'https://example.com', getToken });
 * client.connect();
 * client.subscribe('news', { onPublication: ({ data }) => show(data) });
 * ```
 */
export function createClient(options: ClientOptions): Client {
  return createClientOver(
    (connectionOptions, events) => new DirectWire(connectionOptions, events),
    options,
  );
}

/** A client over any wire. */
export function createClientOver(createWire: WireFactory, options: ClientOptions): Client {
  return new WireClient(createWire, options);
}

class WireClient implements Client {
  readonly #options: ConnectionOptions;
  readonly #wire: Wire;
  readonly #channels: ChannelRegistry;
  readonly #keyed: KeyedRegistry;
  readonly #calls: CallQueue;
  readonly #listeners = new Set<() => void>();
  readonly #serverListeners = new Set<ServerChannelListeners>();
  #serverChannels: ReadonlyMap<string, SubscriptionState> = new Map();
  #state: ConnectionState;

  constructor(createWire: WireFactory, options: ClientOptions) {
    const environment = options.environment ?? createEnvironment();
    this.#options = resolveConnectionOptions({ ...options, environment });
    this.#state = idleState(environment.now());
    this.onServerChannels({
      onPublication: (publication) => options.onServerPublication?.(publication),
      onSubscription: (channel, state) => options.onServerSubscription?.(channel, state),
    });
    this.#channels = new ChannelRegistry(() => this.#wire, environment);
    this.#keyed = new KeyedRegistry(() => this.#wire, environment);
    this.#calls = new CallQueue({
      wire: () => this.#wire,
      environment,
      limits: { ...defaultPublishQueue, ...options.publishQueue },
    });
    this.#wire = createWire(this.#options, {
      state: (state) => this.#changed(state),
      channel: (channel, event) => this.#channels.handle(channel, event),
      serverChannel: (channel, event) => this.#serverChannel(channel, event),
      message: (data) => deliver(() => options.onMessage?.(data)),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  connect(): void {
    this.#wire.connect();
  }

  disconnect(): void {
    this.#wire.disconnect();
  }

  setToken(token: string): void {
    this.#wire.setToken(token);
  }

  subscribe<Data = unknown>(
    channel: string,
    options: SubscriptionOptions<Data> = {},
  ): Subscription<Data> {
    const listeners = new Set<() => void>();
    const use: ChannelUse = {
      options: options as SubscriptionOptions,
      notify: () => {
        for (const listener of listeners) deliver(listener);
      },
    };
    const channels = this.#channels;
    channels.open(channel, use);
    return {
      channel,
      get state() {
        return channels.stateOf(channel);
      },
      onChange: (listener) => {
        const own = (): void => listener();
        listeners.add(own);
        return () => void listeners.delete(own);
      },
      publish: (data) => this.publish(channel, data),
      close: () => channels.close(channel, use),
    };
  }

  get serverChannels(): ReadonlyMap<string, SubscriptionState> {
    return this.#serverChannels;
  }

  onServerChannels<Data>(listeners: ServerChannelListeners<Data>): () => void {
    const own = { ...listeners } as ServerChannelListeners;
    this.#serverListeners.add(own);
    return () => void this.#serverListeners.delete(own);
  }

  subscribeMap<Value = unknown>(
    channel: string,
    options: MapOptions<Value> = {},
  ): MapSubscription<Value> {
    const request = { channel, kind: 'map', options: options as MapOptions } as const;
    return new LiveMap<Value>(this.#keyed, request, (call) =>
      this.#calls.enqueue(call, { retry: true }),
    );
  }

  subscribePoll<Value = unknown>(
    channel: string,
    options: PollOptions<Value>,
  ): PollSubscription<Value> {
    const request = { channel, kind: 'poll', options: options as PollOptions } as const;
    return new LivePoll<Value>(this.#keyed, request);
  }

  async publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<void> {
    await this.#calls.enqueue({ type: 'publish', channel, data }, { retry: true, ...options });
  }

  async rpc(method: string, data?: unknown): Promise<unknown> {
    return this.#calls.enqueue({ type: 'rpc', method, data }, { retry: false });
  }

  async history<Data = unknown>(
    channel: string,
    options: HistoryOptions = {},
  ): Promise<History<Data>> {
    const answer = await this.#calls.enqueue(
      { type: 'history', channel, options },
      { retry: true },
    );
    return answer as History<Data>;
  }

  async presence(channel: string): Promise<Readonly<Record<string, ClientInfo>>> {
    const answer = await this.#calls.enqueue({ type: 'presence', channel }, { retry: true });
    return (answer as { readonly clients: Readonly<Record<string, ClientInfo>> }).clients;
  }

  async presenceStats(channel: string): Promise<PresenceStats> {
    const answer = await this.#calls.enqueue({ type: 'presence_stats', channel }, { retry: true });
    const { numClients, numUsers } = answer as {
      readonly numClients: number;
      readonly numUsers: number;
    };
    return { clients: numClients, users: numUsers };
  }

  async measureRoundTrip(): Promise<number | undefined> {
    return this.#wire.measureRoundTrip();
  }

  async diagnose(): Promise<Diagnosis> {
    return diagnose(this.#options);
  }

  close(): void {
    this.#calls.close();
    this.#channels.clear();
    this.#keyed.clear();
    this.#wire.close();
    this.#listeners.clear();
    this.#serverListeners.clear();
  }

  #serverChannel(channel: string, event: ChannelEvent): void {
    const before = this.#serverChannels.get(channel);
    const state = nextState(before ?? subscribingState, event);
    if (state !== before) {
      const channels = new Map(this.#serverChannels);
      if (state.status === 'unsubscribed') channels.delete(channel);
      else channels.set(channel, state);
      this.#serverChannels = channels;
    }
    for (const { onPublication, onSubscription } of this.#serverListeners) {
      deliver(() => {
        if (event.type === 'publication') onPublication?.(event.publication);
        else onSubscription?.(channel, state);
      });
    }
  }

  #changed(state: ConnectionState): void {
    this.#state = state;
    for (const listener of this.#listeners) deliver(listener);
    this.#calls.flush();
  }
}
