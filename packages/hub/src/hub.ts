import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Bytes, ClientInfo, Disconnect, ReplyError } from '@holdfast/protocol';
import type { TokenVerifier } from './auth/token-verifier.ts';
import type { Clock } from './clock.ts';
import type { ConnectionsPage, ConnectionsQuery, OnlineStatus } from './connection-directory.ts';
import type { Credentials, HubHandlers, SubscribeGrant } from './events.ts';
import type { HubMetrics } from './metrics.ts';
import type { NamespacesOptions } from './namespaces.ts';
import type { ChannelsOptions } from './channel-options.ts';
import type { AdmissionOptions, ClientOptions } from './client-options.ts';
import type { GivenHttpTransportsOptions, WebSocketOptions } from './transport-options.ts';
import type { HubJournals } from './ports/channel-journal.ts';
import type { Broker, BrokerPublishResult, HistoryPage, Position } from './ports/broker.ts';
import type {
  MapBroker,
  MapChangeResult,
  MapStatePage,
  MapStats,
  MapStreamPage,
} from './ports/map-broker.ts';
import type { ClientSelector, NodeBus, NodeInfo } from './ports/node-bus.ts';
import type { PublicationContract } from './publication-contract.ts';
import type { SharedPollSecrets } from './shared-poll/track-signature.ts';
import type { RevocationStore } from './ports/revocation-store.ts';
import type { PresenceStats, PresenceStore } from './ports/presence-store.ts';
import type { Dialect } from './transports/dialect.ts';
import type { HttpRefusal } from './transports/http-refusal.ts';

/** Five levels of structured log lines, the subset of pino's interface that the hub needs. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * What a hub is made of. Everything has a default: without any options it keeps all state in
 * memory, and no client may do anything.
 */
export interface HubOptions {
  readonly client?: Partial<ClientOptions>;
  readonly channel?: Partial<ChannelsOptions>;
  readonly websocket?: Partial<WebSocketOptions>;
  readonly http?: GivenHttpTransportsOptions;
  readonly admission?: Partial<AdmissionOptions>;
  /** Verifies connection tokens, and subscription tokens unless `subscriptionTokens` is given. */
  readonly tokens?: TokenVerifier;
  readonly subscriptionTokens?: TokenVerifier;
  /**
   * What publications look like, whoever publishes them: what does not match is refused with error 107
   * before anybody gets it. @defaultValue nothing is checked
   */
  readonly contract?: PublicationContract;
  /** Secrets of the signatures that shared-poll clients track keys with. */
  readonly sharedPoll?: SharedPollSecrets;
  /** @defaultValue a `MemoryBroker` */
  readonly broker?: Broker;
  /** @defaultValue a `MemoryMapBroker` */
  readonly mapBroker?: MapBroker;
  /**
   * Where the memory brokers keep what outlives the process. Each journal belongs to one hub.
   * @defaultValue none: history ends with the process
   */
  readonly journals?: HubJournals;
  /** @defaultValue a `MemoryPresenceStore` */
  readonly presence?: PresenceStore;
  /** Keeps blocked users and revoked tokens. @defaultValue a `MemoryRevocationStore` */
  readonly revocations?: RevocationStore;
  /** @defaultValue a bus without other nodes */
  readonly bus?: NodeBus;
  /** Shown in node info. @defaultValue the host name */
  readonly name?: string;
  /** What else this node tells of itself; asked every few seconds. @defaultValue nothing */
  readonly nodeDetails?: () => Pick<NodeInfo, 'metrics' | 'process'>;
  /** Told to clients in the connect result. */
  readonly version?: string;
  /** @defaultValue no logging */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Makes client, session and node ids. @defaultValue `crypto.randomUUID` */
  readonly randomId?: () => string;
  /** In [0, 1). @defaultValue `Math.random` */
  readonly random?: () => number;
}

/** What can change while a hub serves, see {@link Hub.reconfigure}. */
export interface HubChanges {
  readonly channel: NamespacesOptions;
  readonly client: Pick<
    ClientOptions,
    'allowedOrigins' | 'connectionLimit' | 'connectionRateLimit' | 'userConnectionLimit'
  >;
}

/** How a publication is kept and delivered, and when it is suppressed. */
export interface PublishOptions {
  readonly tags?: Readonly<Record<string, string>>;
  /** Repeating a publish with the same key within five minutes changes nothing. */
  readonly idempotencyKey?: string;
  readonly skipHistory?: boolean;
  /** Offer this publication as a delta to subscribers that negotiated it. */
  readonly delta?: boolean;
  /** Suppress the publish unless this is above the channel's last version. */
  readonly version?: number;
  readonly versionEpoch?: string;
  /** Client id that does not get the publication (usually the one whose request caused it). */
  readonly excludeClient?: string;
}

/** Which part of a channel's history is read. */
export interface HistoryOptions {
  /** -1 for all, 0 for the position alone. @defaultValue 0 */
  readonly limit?: number;
  /** Exclusive. A position of another epoch is refused with error 112. */
  readonly since?: Position;
  readonly reverse?: boolean;
}

/**
 * What a subscription by the server comes with; `recoverSince` delivers what was missed since then.
 */
export interface SubscribeOptions extends SubscribeGrant {
  readonly recoverSince?: Position;
}

/** A version of a shared-poll key that does not wait for the next poll. */
export interface SharedPollPublication {
  readonly key: string;
  /** Bytes as they are, anything else as JSON. */
  readonly data: unknown;
  /** Ignored by nodes that know the same or a newer one. */
  readonly version: number;
}

/** A key of a map, and what it shall have. */
export interface MapPublishInput {
  readonly key: string;
  /** Bytes as they are, anything else as JSON. */
  readonly data: unknown;
  /** Goes to the stream and to subscribers instead of `data`, which is what the key then has. */
  readonly streamData?: unknown;
  readonly tags?: Readonly<Record<string, string>>;
  /** Entries with a higher score come first. */
  readonly score?: number;
  readonly idempotencyKey?: string;
  readonly delta?: boolean;
  readonly version?: number;
  readonly versionEpoch?: string;
  readonly keyMode?: 'if_new' | 'if_exists';
  readonly expectedPosition?: Position;
  readonly excludeClient?: string;
}

/** Which keys of a map are read. */
export interface MapStateOptions {
  /** -1 for all, 0 for the position alone. @defaultValue 100 */
  readonly limit?: number;
  readonly cursor?: string;
  /** Only this key. */
  readonly key?: string;
  /** Lowest score first. @defaultValue false */
  readonly asc?: boolean;
  /** Position of the first page, for those after it; another epoch is refused with error 112. */
  readonly until?: Position;
}

/** When connections expire from now on, and what others see of them. */
export interface RefreshOptions {
  readonly expired?: boolean;
  /** Unix seconds; absent: the connection no longer expires. */
  readonly expireAt?: number;
  readonly info?: Bytes;
}

/** Which tokens of a user are taken back. */
export interface InvalidateTokensOptions {
  /** Unix seconds, exclusive; `iat` has whole seconds. @defaultValue now */
  readonly issuedBefore?: number;
  /** Unix seconds; from when on these tokens have expired anyway. */
  readonly expireAt: number;
}

/** How much time a hub has for its end. */
export interface ShutdownOptions {
  /** @defaultValue 30000 */
  readonly timeoutMs?: number;
  /** Cut to a second less than `timeoutMs`, for the farewells. @defaultValue 0 */
  readonly drainWindowMs?: number;
}

/**
 * The live core. Server-side operations act on all nodes and skip client permissions; those on a
 * channel throw `ReplyError` 102 for an unknown namespace, 107 for a bad name, 108 for a feature
 * that the namespace does not have.
 */
export interface Hub {
  /** Id of this node. */
  readonly nodeId: string;
  /** Plain counters and gauges, read at scrape time. */
  readonly metrics: HubMetrics;
  /** What every publication is held against. */
  readonly contract: PublicationContract | undefined;
  /** Connects the ports. Called by {@link attach} too; safe to call again. */
  start(): Promise<void>;
  /**
   * Serves WebSocket upgrades of a `node:http` server on `path`. Handshakes that a proxy stripped of
   * their headers are rescued if the server was made with `IncomingMessage: HandshakeMessage`.
   * @defaultValue '/connection/websocket'
   */
  attach(server: HttpServer, options?: { readonly path?: string }): void;
  /**
   * Serves clients of another product's one-way protocol on a path, see {@link Dialect}: over WebSocket
   * on the attached servers, an event stream where {@link handleRequest} is called. Returns a live view of their connections on this node, by user.
   */
  speak(path: string, dialect: Dialect): ReadonlyMap<string, number>;
  /** Serves one upgrade, for those who route requests themselves. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Serves a request if it is for one of the HTTP transports (`/connection/…`, `/emulation`), or a
   * plain request to a path of {@link attach}, which is told what a handshake needs; otherwise
   * returns false and leaves the request to the caller.
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
  /**
   * Whose a connection token is, by the rules that hold when a client connects: signature, times,
   * blocked users and revoked tokens. For HTTP endpoints beside the connections. A refusal is a
   * value, as {@link TokenVerifier} says.
   */
  authenticate(token: string): Promise<Credentials | ReplyError | Disconnect>;
  /**
   * Why pages of the request's `Origin` must not use this server, or undefined when they may or it
   * comes from no page. A refusal is logged.
   */
  originProblem(request: IncomingMessage): HttpRefusal | undefined;
  /** Adds a handler; returns the function that removes it. */
  on<Name extends keyof HubHandlers>(name: Name, handler: HubHandlers[Name]): () => void;
  /**
   * Publishes `data`: bytes as they are, anything else as JSON. When this resolves the broker has
   * the publication.
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<BrokerPublishResult>;
  /** Publishes to each channel on its own; the results are in the order of `channels`. */
  broadcast(
    channels: readonly string[],
    data: unknown,
    options?: PublishOptions,
  ): Promise<readonly (BrokerPublishResult | ReplyError)[]>;
  /**
   * Publishes to each stream channel that has a subscriber right now and whose name matches a glob, as
   * {@link channels} reads it. The results are by channel; those without subscribers are not reached.
   * @throws ReplyError 107 for an empty pattern, 106 for more than 10,000 channels; then nothing is
   * published
   */
  publishToPattern(
    pattern: string,
    data: unknown,
    options?: PublishOptions,
  ): Promise<ReadonlyMap<string, BrokerPublishResult | ReplyError>>;
  /**
   * Sends a message, outside of any channel, to every connection of every node, at most once: who is
   * not connected never gets it. Resolves to the number of connections it was queued for; a node that
   * does not answer within two seconds is logged and not counted.
   * @throws ReplyError 107 when it is no JSON, or longer than 64 KiB
   */
  messageToAll(data: unknown): Promise<number>;
  /**
   * Sends a message, outside of any channel, to one connection of this node, at most once.
   * @returns whether there is such a connection
   * @throws ReplyError 107 when it is no JSON, or longer than 64 KiB
   */
  message(client: string, data: unknown): boolean;
  /** Subscribes a user's connections from the server's side. */
  subscribe(selector: ClientSelector, channel: string, options?: SubscribeOptions): Promise<void>;
  /**
   * An empty channel means all. Codes are 2000–2999; from 2500 clients subscribe again.
   * @defaultValue 2000 server unsubscribe
   * @throws ReplyError 107 when the code is out of range
   */
  unsubscribe(
    selector: ClientSelector,
    channel: string,
    why?: { readonly code: number; readonly reason: string },
  ): Promise<void>;
  /**
   * Codes are 3000–4999 and decide whether clients come back, see `reconnectsAfter`.
   * @defaultValue 3503 force disconnect
   * @throws ReplyError 107 when the code is out of range
   */
  disconnect(
    selector: ClientSelector,
    disconnect?: { readonly code: number; readonly reason: string },
  ): Promise<void>;
  refresh(selector: ClientSelector, options?: RefreshOptions): Promise<void>;
  /**
   * Ends a user's connections everywhere (3507, final) and refuses new ones until {@link unblockUser},
   * or `expireAt` (Unix seconds; 0: no end). When this resolves every node has done so. How long it
   * outlives this process is up to `HubOptions.revocations`.
   * @throws ReplyError 107 for a user or time that cannot be, 106 when `client.revocationLimit` is
   * reached; any other error when a node did not confirm it, and then doing it again is safe
   */
  blockUser(user: string, options?: { readonly expireAt?: number }): Promise<void>;
  /** Lifts {@link blockUser}; idempotent, with the same errors. */
  unblockUser(user: string): Promise<void>;
  /**
   * Takes back one token by its `jti`: ends connections (3500, final) and subscriptions (2000) made
   * with it and refuses it until `expireAt` (Unix seconds), when it has expired anyway. Otherwise as
   * {@link blockUser}.
   */
  revokeToken(tokenId: string, expireAt: number): Promise<void>;
  /**
   * Takes back all tokens that a user got before a moment; those without `iat` count as old. As
   * {@link revokeToken}. Connections that were let in without a token are not concerned.
   */
  invalidateUserTokens(user: string, options: InvalidateTokensOptions): Promise<void>;
  /**
   * Tells the subscribers of a shared-poll key about a new version at once.
   * @throws ReplyError 107 for another kind of channel, 108 unless `publishEnabled` and `versioned`
   */
  publishSharedPoll(channel: string, item: SharedPollPublication): Promise<void>;
  /** Writes a key of a map channel. @throws ReplyError 107 for another kind of channel, or no key */
  publishMap(channel: string, input: MapPublishInput): Promise<MapChangeResult>;
  removeMapKey(
    channel: string,
    key: string,
    options?: { readonly idempotencyKey?: string; readonly expectedPosition?: Position },
  ): Promise<MapChangeResult>;
  readMapState(channel: string, options?: MapStateOptions): Promise<MapStatePage>;
  /** Changes of a map channel, as {@link history} reads those of a stream. */
  readMapStream(channel: string, options?: HistoryOptions): Promise<MapStreamPage>;
  mapStats(channel: string): Promise<MapStats>;
  /** Drops all keys and changes; subscribers begin anew. */
  clearMap(channel: string): Promise<void>;
  presence(channel: string): Promise<ReadonlyMap<string, ClientInfo>>;
  presenceStats(channel: string): Promise<PresenceStats>;
  history(channel: string, options?: HistoryOptions): Promise<HistoryPage>;
  removeHistory(channel: string): Promise<void>;
  /** Active channels of all nodes whose name matches a glob (`*` within a segment of `:` or `.`). */
  channels(pattern?: string): Promise<ReadonlyMap<string, { readonly numClients: number }>>;
  /**
   * A page of the connections of all nodes, in the order of client ids. A connection that stays is on
   * exactly one page; a node that does not answer within two seconds is logged and left out.
   * @throws ReplyError 107 when `limit` is not 1 to 1000
   */
  connections(query?: ConnectionsQuery): Promise<ConnectionsPage>;
  /**
   * Which of these users are connected to any node, and when the others were last. Nodes keep that in
   * memory for `client.lastSeenTtlMs`, so what a stopped node knew is gone.
   * @throws ReplyError 107 for more than 1000 users
   */
  online(users: readonly string[]): Promise<ReadonlyMap<string, OnlineStatus>>;
  /** Nodes heard of in the last seconds, this one first. */
  nodes(): readonly NodeInfo[];
  /** What keeps this node from serving, each with its reason; empty when ready. */
  problems(): readonly string[];
  /** What does not work although the node serves. Without addresses, as {@link problems}. */
  concerns(): readonly string[];
  /**
   * Takes over other namespaces and limits, all at once. They hold for what comes from then on:
   * connections and subscriptions stay, as those under whose rules they came about. A namespace must
   * keep its kind, `subscriptionType` and `map.mode`, and whether it is durable, as long as any of its
   * channels is there.
   */
  reconfigure(changes: HubChanges): void;
  /**
   * Refuses new connections, closes all with 3001 and the ports after them. Resolves when every
   * connection is gone or after `timeoutMs` (then the rest is cut).
   *
   * With `drainWindowMs` connections are closed one after the other over that time, so that their
   * clients do not come back all at once, and publications go on meanwhile. Only where other nodes
   * are there to take them: the clients of a lone node have nowhere to go, so it lets go of all at
   * once.
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
}
