/**
 * The one typed model of the client protocol. Property names are the wire's own (the JSON names,
 * which are also the Protobuf field names), so that no layer between socket and session renames
 * anything. Field numbers live in `schema.ts`, which is checked against these interfaces.
 *
 * A field that holds application data is {@link Bytes}: JSON text for JSON clients, anything for
 * Protobuf clients. It is never parsed by Holdfast, so numbers keep their precision and deep nesting
 * costs nothing.
 *
 * @module
 */

/** Raw application data: UTF-8 JSON text, or any bytes between Protobuf clients. */
export type Bytes = Uint8Array;

/** Who is behind a client connection, as other clients see it. */
export interface ClientInfo {
  /** Application user id; `''` is the anonymous user. */
  readonly user: string;
  /** Id of this one connection (UUID). */
  readonly client: string;
  readonly conn_info?: Bytes;
  readonly chan_info?: Bytes;
}

export interface Publication {
  readonly data?: Bytes;
  /** Set when a client published, absent for server API publications. */
  readonly info?: ClientInfo;
  /** Position in the channel's stream, from 1; 0 or absent when the channel keeps no history. */
  readonly offset?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** True when `data` is a patch against the previous publication. */
  readonly delta?: boolean;
  /** Unix time in milliseconds. Kept by brokers, not sent to clients by current servers. */
  readonly time?: number;
  readonly channel?: string;
  /** Map and shared-poll subscriptions: the key that this publication changes. */
  readonly key?: string;
  /** Map and shared-poll subscriptions: the key was removed. */
  readonly removed?: boolean;
  readonly score?: number;
  /** Set on the live publication with offset 1, so that an early subscriber learns the epoch. */
  readonly epoch?: string;
  readonly prev_data?: Bytes;
  readonly version?: number;
}

export interface StreamPosition {
  readonly offset?: number;
  readonly epoch?: string;
}

/** Subscription types, as numbers on the wire. */
export const subscriptionTypes = {
  stream: 0,
  map: 1,
  map_clients: 2,
  map_users: 3,
  shared_poll: 4,
} as const;
export type SubscriptionType = keyof typeof subscriptionTypes;

/** Phases of a map subscription. */
export const subscribePhases = { live: 0, stream: 1, state: 2 } as const;

/** Bits of {@link SubscribeRequest.flag}. */
export const subscribeFlags = {
  /** The client understands numeric channel ids (offered by centrifuge-js, not used by us). */
  channelCompaction: 1,
  /** Answer error 112 instead of `recovered: false`. */
  rejectUnrecovered: 2,
} as const;

/** A tags filter: a leaf compares one tag, `and`/`or`/`not` combine nodes. */
export interface FilterNode {
  readonly op?: string;
  readonly key?: string;
  readonly cmp?: string;
  readonly val?: string;
  readonly vals?: readonly string[];
  readonly nodes?: readonly FilterNode[];
}

export interface SubscribeRequest {
  readonly channel?: string;
  readonly token?: string;
  readonly recover?: boolean;
  readonly epoch?: string;
  readonly offset?: number;
  readonly data?: Bytes;
  readonly positioned?: boolean;
  readonly recoverable?: boolean;
  readonly join_leave?: boolean;
  readonly delta?: string;
  readonly tf?: FilterNode;
  readonly flag?: number;
  readonly type?: number;
  readonly phase?: number;
  readonly cursor?: string;
  readonly limit?: number;
  readonly asc?: boolean;
}

export interface SubscribeResult {
  readonly expires?: boolean;
  /** Seconds until the subscription expires. */
  readonly ttl?: number;
  readonly recoverable?: boolean;
  readonly epoch?: string;
  readonly publications?: readonly Publication[];
  readonly recovered?: boolean;
  readonly offset?: number;
  readonly positioned?: boolean;
  readonly data?: Bytes;
  readonly was_recovering?: boolean;
  readonly delta?: boolean;
  readonly id?: number;
  readonly type?: number;
  readonly phase?: number;
  readonly cursor?: string;
  readonly state?: readonly Publication[];
  readonly publish_debounce?: number;
}

export interface ConnectRequest {
  readonly token?: string;
  readonly data?: Bytes;
  /** Recoverable server-side subscriptions of the previous connection. */
  readonly subs?: Readonly<Record<string, SubscribeRequest>>;
  readonly name?: string;
  readonly version?: string;
  /** Headers the client asks the server to treat as HTTP headers towards the backend. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly flag?: number;
  readonly dict?: string;
  readonly profile?: string;
}

export interface ConnectResult {
  readonly client?: string;
  readonly version?: string;
  readonly expires?: boolean;
  /** Seconds until the connection expires. */
  readonly ttl?: number;
  readonly data?: Bytes;
  readonly subs?: Readonly<Record<string, SubscribeResult>>;
  /** Server ping interval in seconds; absent when the server sends no application pings. */
  readonly ping?: number;
  /** True when the client must answer each ping. */
  readonly pong?: boolean;
  readonly session?: string;
  readonly node?: string;
  /** Server time in Unix milliseconds. */
  readonly time?: number;
  readonly flag?: number;
}

export interface UnsubscribeRequest {
  readonly channel?: string;
}

export interface PublishRequest {
  readonly channel?: string;
  readonly data?: Bytes;
  /** 0 stream, 1 map. */
  readonly type?: number;
  readonly key?: string;
  readonly removed?: boolean;
}

export interface PresenceRequest {
  readonly channel?: string;
}

export interface PresenceResult {
  readonly presence?: Readonly<Record<string, ClientInfo>>;
}

export interface PresenceStatsRequest {
  readonly channel?: string;
}

export interface PresenceStatsResult {
  readonly num_clients?: number;
  readonly num_users?: number;
}

export interface HistoryRequest {
  readonly channel?: string;
  /** 0 asks for the top position only, -1 for everything the server allows. */
  readonly limit?: number;
  /** Exclusive. */
  readonly since?: StreamPosition;
  readonly reverse?: boolean;
}

export interface HistoryResult {
  readonly publications?: readonly Publication[];
  readonly epoch?: string;
  readonly offset?: number;
}

export interface SendRequest {
  readonly data?: Bytes;
}

export interface RpcRequest {
  readonly data?: Bytes;
  readonly method?: string;
}

export interface RpcResult {
  readonly data?: Bytes;
}

export interface RefreshRequest {
  readonly token?: string;
}

export interface RefreshResult {
  readonly client?: string;
  readonly version?: string;
  readonly expires?: boolean;
  readonly ttl?: number;
}

export interface KeyedItem {
  readonly key?: string;
  readonly version?: number;
}

export interface TrackBatch {
  readonly signature?: string;
  readonly items?: readonly KeyedItem[];
}

export interface SubRefreshRequest {
  readonly channel?: string;
  readonly token?: string;
  /** 0 refresh, 1 track, 2 untrack. */
  readonly type?: number;
  readonly track?: readonly TrackBatch[];
  readonly untrack?: readonly string[];
}

export interface SubRefreshResult {
  readonly expires?: boolean;
  readonly ttl?: number;
  readonly items?: readonly Publication[];
}

/** A message without fields. */
export type Empty = Readonly<Record<never, never>>;

/**
 * What a client sends. Exactly one request member is meaningful (the first present one in the order
 * below wins); a command with `id` 0 and no request is a pong.
 */
export interface Command {
  readonly id?: number;
  readonly connect?: ConnectRequest;
  readonly subscribe?: SubscribeRequest;
  readonly unsubscribe?: UnsubscribeRequest;
  readonly publish?: PublishRequest;
  readonly presence?: PresenceRequest;
  readonly presence_stats?: PresenceStatsRequest;
  readonly history?: HistoryRequest;
  readonly ping?: Empty;
  readonly send?: SendRequest;
  readonly rpc?: RpcRequest;
  readonly refresh?: RefreshRequest;
  readonly sub_refresh?: SubRefreshRequest;
}

export interface ErrorReply {
  readonly code: number;
  readonly message: string;
  readonly temporary?: boolean;
}

/**
 * What the server sends on bidirectional transports. With `id` 0 or absent it is a push, and with
 * nothing at all a ping.
 */
export interface Reply {
  readonly id?: number;
  readonly error?: ErrorReply;
  readonly push?: Push;
  readonly connect?: ConnectResult;
  readonly subscribe?: SubscribeResult;
  readonly unsubscribe?: Empty;
  readonly publish?: Empty;
  readonly presence?: PresenceResult;
  readonly presence_stats?: PresenceStatsResult;
  readonly history?: HistoryResult;
  readonly ping?: Empty;
  readonly rpc?: RpcResult;
  readonly refresh?: RefreshResult;
  readonly sub_refresh?: SubRefreshResult;
}

export interface UnsubscribePush {
  readonly code?: number;
  readonly reason?: string;
}

export interface SubscribePush {
  readonly recoverable?: boolean;
  readonly epoch?: string;
  readonly offset?: number;
  readonly positioned?: boolean;
  readonly data?: Bytes;
}

export interface DisconnectPush {
  readonly code?: number;
  readonly reason?: string;
}

export interface RefreshPush {
  readonly expires?: boolean;
  readonly ttl?: number;
}

/** The connect push of unidirectional transports has the members of {@link ConnectResult}. */
export type ConnectPush = Omit<ConnectResult, 'flag'>;

export interface Push {
  readonly id?: number;
  readonly channel?: string;
  readonly pub?: Publication;
  readonly join?: { readonly info: ClientInfo };
  readonly leave?: { readonly info: ClientInfo };
  readonly unsubscribe?: UnsubscribePush;
  readonly message?: { readonly data?: Bytes };
  readonly subscribe?: SubscribePush;
  readonly connect?: ConnectPush;
  readonly disconnect?: DisconnectPush;
  readonly refresh?: RefreshPush;
}

/** Body of `POST /emulation`: client commands of a one-way transport, addressed to its session. */
export interface EmulationRequest {
  readonly node?: string;
  readonly session?: string;
  readonly data?: Bytes;
}
