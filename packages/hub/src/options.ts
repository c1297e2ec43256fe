/**
 * What a hub can be told. Names and meaning are Centrifugo v6's, in camel case, with durations in
 * milliseconds (`history_ttl: "300s"` there is `historyTtlMs: 300_000` here).
 *
 * @module
 */
import type { SubscriptionType } from '@holdfast/protocol';

/** The behaviour of the channels of one namespace. */
export interface ChannelOptions {
  /** Keep who is in the channel. @defaultValue false */
  readonly presence: boolean;
  /** Publish join and leave events. @defaultValue false */
  readonly joinLeave: boolean;
  /** Send join and leave to every subscriber, also without being asked. @defaultValue false */
  readonly forcePushJoinLeave: boolean;
  /** Publications kept; history is on when this and `historyTtlMs` are positive. @defaultValue 0 */
  readonly historySize: number;
  /** @defaultValue 0 */
  readonly historyTtlMs: number;
  /** How long epoch and top offset outlive history. @defaultValue 0 (the hub's `historyMetaTtlMs`) */
  readonly historyMetaTtlMs: number;
  /**
   * Publishers are answered, and subscribers told, when the journal has the publication: streams,
   * positions and map states survive the death of the process. Without it they survive a stop in good
   * order only. Needs `HubOptions.journals`. @defaultValue false
   */
  readonly historyDurable: boolean;
  readonly forcePositioning: boolean;
  readonly allowPositioning: boolean;
  readonly forceRecovery: boolean;
  readonly allowRecovery: boolean;
  /** What recovery means: every missed publication, or only the latest one. @defaultValue 'stream' */
  readonly forceRecoveryMode: 'stream' | 'cache';
  /** In cache mode, send the latest publication on every subscribe. @defaultValue false */
  readonly autoCacheRecover: boolean;
  readonly allowedDeltaTypes: readonly 'fossil'[];
  /** Offer deltas for every publication, not only those published with `delta`. @defaultValue false */
  readonly deltaPublish: boolean;
  readonly allowTagsFilter: boolean;
  /**
   * Each subscriber gets at most one publication per key in this time, always the latest. In steps of
   * 50 ms. @defaultValue 0 (every publication)
   */
  readonly conflationIntervalMs: number;
  /**
   * The tag whose value is the key; publications without it share one, as all do when this is empty.
   * Map channels have keys of their own. @defaultValue ''
   */
  readonly conflationKeyTag: string;
  readonly allowSubscribeForClient: boolean;
  readonly allowSubscribeForAnonymous: boolean;
  readonly allowPublishForClient: boolean;
  readonly allowPublishForSubscriber: boolean;
  readonly allowPublishForAnonymous: boolean;
  readonly allowPresenceForClient: boolean;
  readonly allowPresenceForSubscriber: boolean;
  readonly allowPresenceForAnonymous: boolean;
  readonly allowHistoryForClient: boolean;
  readonly allowHistoryForSubscriber: boolean;
  readonly allowHistoryForAnonymous: boolean;
  readonly allowUserLimitedChannels: boolean;
  /**
   * Subscriptions that expire are refreshed by the application (`subRefreshing`), not by their client,
   * whoever granted them. @defaultValue false
   */
  readonly serverSideSubRefresh: boolean;
  /**
   * Must find something in the channel's name without private prefix and namespace, as in Centrifugo;
   * write `^…$` for the whole. JavaScript's syntax, Unicode mode. Also lifts the ASCII rule.
   * @defaultValue '' (no check)
   */
  readonly channelRegex: string;
  /** @defaultValue '' (data must not be empty) */
  readonly publicationDataFormat: '' | 'json' | 'json_object' | 'binary';
  /** What clients subscribe to; another type is refused with error 103. @defaultValue 'stream' */
  readonly subscriptionType: SubscriptionType;
  /** For `subscriptionType: 'shared_poll'`. */
  readonly sharedPoll: SharedPollOptions;
  /** For `subscriptionType: 'map'`, `'map_clients'` and `'map_users'`. */
  readonly map: MapOptions;
  /** Who is subscribed becomes state, by client id, of the channel with this prefix. @defaultValue '' */
  readonly mapClientsPresenceChannelPrefix: string;
  /** Which users are subscribed becomes state, by user id, of the channel with this prefix. @defaultValue '' */
  readonly mapUsersPresenceChannelPrefix: string;
}

/** Channels that keep a value per key. */
export interface MapOptions {
  /**
   * `ephemeral`: keys expire, and nothing of the past is kept; `recoverable`: keys expire, changes
   * are kept for a while; `persistent`: keys stay, changes are kept for a while.
   * @defaultValue 'ephemeral'
   */
  readonly mode: 'ephemeral' | 'recoverable' | 'persistent';
  /** How long a key lives after its last publish, unless `persistent`. @defaultValue 60000 */
  readonly keyTtlMs: number;
  /** Changes kept, unless `ephemeral`. @defaultValue 100 */
  readonly streamSize: number;
  /** @defaultValue 60000 */
  readonly streamTtlMs: number;
  /** How long epoch and top offset outlive keys and changes. @defaultValue 0 (as of channels) */
  readonly metaTtlMs: number;
  /** The key that a client's publishes go to, whatever it asks for. @defaultValue '' (its choice) */
  readonly clientKey: '' | 'client_id' | 'user_id';
  /** Remove the client's key when it leaves the channel. Needs `clientKey`. @defaultValue false */
  readonly removeClientOnUnsubscribe: boolean;
  readonly allowPublishForClient: boolean;
  readonly allowPublishForSubscriber: boolean;
  readonly allowPublishForAnonymous: boolean;
  readonly allowRemoveForClient: boolean;
  readonly allowRemoveForSubscriber: boolean;
  readonly allowRemoveForAnonymous: boolean;
  /** Entries of a page for clients that name no number. @defaultValue 100 */
  readonly defaultPageSize: number;
  /** @defaultValue 100 */
  readonly minPageSize: number;
  /** @defaultValue 1000 */
  readonly maxPageSize: number;
  /** Most changes sent along when a subscription goes live. @defaultValue 300 */
  readonly liveTransitionMaxPublicationLimit: number;
  /** Time from the first page to live; a client that needs longer is cut (3008). @defaultValue 5000 */
  readonly subscribeCatchUpTimeoutMs: number;
}

export const defaultMapOptions: MapOptions = {
  mode: 'ephemeral',
  keyTtlMs: 60_000,
  streamSize: 100,
  streamTtlMs: 60_000,
  metaTtlMs: 0,
  clientKey: '',
  removeClientOnUnsubscribe: false,
  allowPublishForClient: false,
  allowPublishForSubscriber: false,
  allowPublishForAnonymous: false,
  allowRemoveForClient: false,
  allowRemoveForSubscriber: false,
  allowRemoveForAnonymous: false,
  defaultPageSize: 100,
  minPageSize: 100,
  maxPageSize: 1_000,
  liveTransitionMaxPublicationLimit: 300,
  subscribeCatchUpTimeoutMs: 5_000,
};

/** Polling the application for keys, on behalf of all clients that track them. */
export interface SharedPollOptions {
  /** Whether the application tells versions, or its answers are compared. @defaultValue 'versionless' */
  readonly mode: 'versionless' | 'versioned';
  /** @defaultValue 10000 */
  readonly refreshIntervalMs: number;
  /** Keys of one question. @defaultValue 1000 */
  readonly refreshBatchSize: number;
  /** Keys that one connection may track in one channel. @defaultValue 5000 */
  readonly maxKeysPerConnection: number;
  /** How long polling goes on after the last subscriber left. @defaultValue 1000 */
  readonly channelShutdownDelayMs: number;
  /** How long a key outlives the signature that allowed it. @defaultValue 25000 */
  readonly trackExpiredExtraDelayMs: number;
  /** Versions may also be published by the server. For `versioned`. @defaultValue false */
  readonly publishEnabled: boolean;
}

export const defaultSharedPollOptions: SharedPollOptions = {
  mode: 'versionless',
  refreshIntervalMs: 10_000,
  refreshBatchSize: 1_000,
  maxKeysPerConnection: 5_000,
  channelShutdownDelayMs: 1_000,
  trackExpiredExtraDelayMs: 25_000,
  publishEnabled: false,
};

export const defaultChannelOptions: ChannelOptions = {
  presence: false,
  joinLeave: false,
  forcePushJoinLeave: false,
  historySize: 0,
  historyTtlMs: 0,
  historyMetaTtlMs: 0,
  historyDurable: false,
  forcePositioning: false,
  allowPositioning: false,
  forceRecovery: false,
  allowRecovery: false,
  forceRecoveryMode: 'stream',
  autoCacheRecover: false,
  allowedDeltaTypes: [],
  deltaPublish: false,
  allowTagsFilter: false,
  conflationIntervalMs: 0,
  conflationKeyTag: '',
  allowSubscribeForClient: false,
  allowSubscribeForAnonymous: false,
  allowPublishForClient: false,
  allowPublishForSubscriber: false,
  allowPublishForAnonymous: false,
  allowPresenceForClient: false,
  allowPresenceForSubscriber: false,
  allowPresenceForAnonymous: false,
  allowHistoryForClient: false,
  allowHistoryForSubscriber: false,
  allowHistoryForAnonymous: false,
  allowUserLimitedChannels: false,
  serverSideSubRefresh: false,
  channelRegex: '',
  publicationDataFormat: '',
  subscriptionType: 'stream',
  sharedPoll: defaultSharedPollOptions,
  map: defaultMapOptions,
  mapClientsPresenceChannelPrefix: '',
  mapUsersPresenceChannelPrefix: '',
};

/** {@link ChannelOptions} of which anything may be left at its default. */
export type GivenChannelOptions = Partial<Omit<ChannelOptions, 'sharedPoll' | 'map'>> & {
  readonly sharedPoll?: Partial<SharedPollOptions>;
  readonly map?: Partial<MapOptions>;
};

/** How channel names are read, and what each namespace's channels do. */
export interface ChannelsOptions {
  readonly withoutNamespace: GivenChannelOptions;
  readonly namespaces: readonly ({ readonly name: string } & GivenChannelOptions)[];
  /** @defaultValue '$' */
  readonly privatePrefix: string;
  /** @defaultValue ':' */
  readonly namespaceBoundary: string;
  /** @defaultValue '#' */
  readonly userBoundary: string;
  /** @defaultValue ',' */
  readonly userSeparator: string;
  /** Longest channel name in bytes. @defaultValue 255 */
  readonly maxLength: number;
  /** @defaultValue 2592000000 (30 days) */
  readonly historyMetaTtlMs: number;
}

export const defaultChannelsOptions: ChannelsOptions = {
  withoutNamespace: {},
  namespaces: [],
  privatePrefix: '$',
  namespaceBoundary: ':',
  userBoundary: '#',
  userSeparator: ',',
  maxLength: 255,
  historyMetaTtlMs: 2_592_000_000,
};

/** Rules for client connections. Durations in milliseconds; a limit of 0 means no limit. */
export interface ClientOptions {
  /**
   * Patterns (`https://*.example.com`) of browser origins that may connect. Requests without an
   * `Origin` header are always allowed. Empty: every request that has one is refused.
   * @defaultValue []
   */
  readonly allowedOrigins: readonly string[];
  /** No token needed and every channel operation allowed. For development only. @defaultValue false */
  readonly insecure: boolean;
  readonly allowAnonymousConnectWithoutToken: boolean;
  readonly disallowAnonymousConnectionTokens: boolean;
  /** Trust this request header for the user id (set by a proxy that authenticates). @defaultValue '' */
  readonly userIdHttpHeader: string;
  readonly connectIncludeServerTime: boolean;
  /**
   * Connections that expire are refreshed by the application (`refreshing`), not by their client,
   * however they were authenticated. @defaultValue false
   */
  readonly serverSideRefresh: boolean;
  /** Commands of one connection handled at the same time; 0 and 1 keep strict order. @defaultValue 0 */
  readonly concurrency: number;
  /** @defaultValue 25000 */
  readonly pingIntervalMs: number;
  /** @defaultValue 8000 */
  readonly pongTimeoutMs: number;
  /** Time to send connect. @defaultValue 10000 */
  readonly staleCloseDelayMs: number;
  /** Grace after a connection expired, in which the client can refresh. @defaultValue 25000 */
  readonly expiredCloseDelayMs: number;
  /** @defaultValue 25000 */
  readonly expiredSubCloseDelayMs: number;
  /** Subscriptions of one connection. @defaultValue 128 */
  readonly channelLimit: number;
  /** Bytes that may wait for one client before it is cut as slow (3008). @defaultValue 1048576 */
  readonly queueMaxSizeBytes: number;
  /** How often presence is refreshed and positions are checked. @defaultValue 27000 */
  readonly presenceUpdateIntervalMs: number;
  /** Presence entries live this long without a refresh. @defaultValue 60000 */
  readonly presenceTtlMs: number;
  /** Least time between two position checks of a subscription. @defaultValue 40000 */
  readonly channelPositionCheckDelayMs: number;
  /** Connections of one node. @defaultValue 0 */
  readonly connectionLimit: number;
  /** New connections per second of one node. @defaultValue 0 */
  readonly connectionRateLimit: number;
  /** Connections of one user on one node. @defaultValue 0 */
  readonly userConnectionLimit: number;
  /** Most publications of one history call by a client. @defaultValue 300 */
  readonly historyMaxPublicationLimit: number;
  /** Most publications of one recovery. @defaultValue 300 */
  readonly recoveryMaxPublicationLimit: number;
  /** Commands of one connection that may wait while earlier ones are handled. @defaultValue 1024 */
  readonly maxPendingCommands: number;
  /** Bytes that may come while commands of one connection wait. @defaultValue 1048576 */
  readonly maxPendingBytes: number;
  /** How long a node remembers when a user left. @defaultValue 86400000 (a day) */
  readonly lastSeenTtlMs: number;
  /** Users whose leaving a node remembers; with more the oldest are forgotten. @defaultValue 100000 */
  readonly lastSeenMaxUsers: number;
  /** Blocked users and revoked tokens; beyond it no more are taken (106). @defaultValue 100000 */
  readonly revocationLimit: number;
  /** How fast clients may send commands. */
  readonly rateLimit: RateLimitOptions;
  readonly subscribeToUserPersonalChannel: {
    readonly enabled: boolean;
    readonly personalChannelNamespace: string;
    /** A user's newest connection ends the others (3504). Needs presence. */
    readonly singleConnection: boolean;
  };
}

/**
 * How fast clients may send commands. A command beyond a limit is answered with error 111
 * (temporary); one that has no id, which cannot be answered, is dropped. A rate of 0 means no limit.
 */
export interface RateLimitOptions {
  /** Of one connection. @defaultValue 100 */
  readonly commandsPerSecond: number;
  /**
   * Commands of one connection at once; twice `channelLimit` always pass, because clients that come
   * back subscribe to everything in one message. @defaultValue 512
   */
  readonly commandBurst: number;
  /** Publishes of one connection, which count as commands too. @defaultValue 0 */
  readonly publishesPerSecond: number;
  /** @defaultValue 100 */
  readonly publishBurst: number;
  /** Of one user, over all connections to this node; connects are not counted. @defaultValue 0 */
  readonly userCommandsPerSecond: number;
  /** @defaultValue 2048 */
  readonly userCommandBurst: number;
  /**
   * A connection that goes beyond a limit this many times, in rate and burst, ends with 3013; 0 never
   * ends one. @defaultValue 5
   */
  readonly closeMultiple: number;
}

export const defaultRateLimitOptions: RateLimitOptions = {
  commandsPerSecond: 100,
  commandBurst: 512,
  publishesPerSecond: 0,
  publishBurst: 100,
  userCommandsPerSecond: 0,
  userCommandBurst: 2_048,
  closeMultiple: 5,
};

export const defaultClientOptions: ClientOptions = {
  allowedOrigins: [],
  insecure: false,
  allowAnonymousConnectWithoutToken: false,
  disallowAnonymousConnectionTokens: false,
  userIdHttpHeader: '',
  connectIncludeServerTime: false,
  serverSideRefresh: false,
  concurrency: 0,
  pingIntervalMs: 25_000,
  pongTimeoutMs: 8_000,
  staleCloseDelayMs: 10_000,
  expiredCloseDelayMs: 25_000,
  expiredSubCloseDelayMs: 25_000,
  channelLimit: 128,
  queueMaxSizeBytes: 1_048_576,
  presenceUpdateIntervalMs: 27_000,
  presenceTtlMs: 60_000,
  channelPositionCheckDelayMs: 40_000,
  connectionLimit: 0,
  connectionRateLimit: 0,
  userConnectionLimit: 0,
  historyMaxPublicationLimit: 300,
  recoveryMaxPublicationLimit: 300,
  maxPendingCommands: 1024,
  maxPendingBytes: 1_048_576,
  lastSeenTtlMs: 86_400_000,
  lastSeenMaxUsers: 100_000,
  revocationLimit: 100_000,
  rateLimit: defaultRateLimitOptions,
  subscribeToUserPersonalChannel: {
    enabled: false,
    personalChannelNamespace: '',
    singleConnection: false,
  },
};

/**
 * How many clients are connected at the same time, so that many that come back at once are served
 * one after the other, fast, and not all together, slowly. A handshake is the connect command with
 * the check of its token, the hook and the server-side subscriptions, and the commands that came
 * along with it.
 */
export interface AdmissionOptions {
  /** Handshakes carried out at the same time. @defaultValue 256 */
  readonly concurrency: number;
  /** Handshakes begun per second; the others wait. @defaultValue 0 */
  readonly rate: number;
  /** Handshakes that may wait for their turn. @defaultValue 10000 */
  readonly queueSize: number;
  /**
   * Longest wait. Who would wait longer is told to come back (error 111, or 503 with `Retry-After`).
   * Less than the time after which clients give up, which is 5 s for stock ones. @defaultValue 4000
   */
  readonly queueTimeoutMs: number;
}

export const defaultAdmissionOptions: AdmissionOptions = {
  concurrency: 256,
  rate: 0,
  queueSize: 10_000,
  queueTimeoutMs: 4_000,
};

export interface WebSocketOptions {
  /** Longest incoming message, on the wire and decompressed. @defaultValue 65536 */
  readonly messageSizeLimit: number;
  /** Fragments of one message; more end the connection with 1008. @defaultValue 128 */
  readonly maxFragments: number;
  /** Offer permessage-deflate (without context takeover). @defaultValue false */
  readonly compression: boolean;
  /** @defaultValue 1024 */
  readonly compressionMinSize: number;
  /** Time that one write may take before the connection ends with 3009. @defaultValue 5000 */
  readonly writeTimeoutMs: number;
}

export const defaultWebSocketOptions: WebSocketOptions = {
  messageSizeLimit: 65_536,
  maxFragments: 128,
  compression: false,
  compressionMinSize: 1024,
  writeTimeoutMs: 5_000,
};

/** One endpoint of the transports that need nothing but HTTP. */
export interface HttpEndpointOptions {
  readonly enabled: boolean;
  /** The whole path. */
  readonly handlerPrefix: string;
  /** Longest request body in bytes. @defaultValue 65536 */
  readonly maxRequestBodySize: number;
}

export interface LongPollOptions extends HttpEndpointOptions {
  /**
   * How long a poll waits for something to say; clients may ask for less. Shorter than the patience
   * of every proxy on the way. @defaultValue 20000
   */
  readonly pollTimeoutMs: number;
}

/** Transports that need nothing but HTTP, and what goes with them. */
export interface HttpTransportsOptions {
  /** Fallback for clients behind networks that break WebSocket. @defaultValue enabled */
  readonly httpStream: HttpEndpointOptions;
  /** Fallback through `EventSource`. @defaultValue enabled */
  readonly sse: HttpEndpointOptions;
  /** Last resort, for networks that let only whole answers through. @defaultValue enabled */
  readonly polling: LongPollOptions;
  /** Takes the commands of HTTP streaming and SSE; there when one of them is. */
  readonly emulation: Omit<HttpEndpointOptions, 'enabled'>;
  /** One-way, for `EventSource` without any SDK. @defaultValue not enabled */
  readonly uniSse: HttpEndpointOptions;
  /** One-way, newline-delimited JSON. @defaultValue not enabled */
  readonly uniHttpStream: HttpEndpointOptions;
  /** One-way, WebSocket, with the limits of `WebSocketOptions`. @defaultValue not enabled */
  readonly uniWebsocket: Omit<HttpEndpointOptions, 'maxRequestBodySize'>;
  /** Lets a browser pick up cookies and routing before it connects. @defaultValue enabled */
  readonly init: Omit<HttpEndpointOptions, 'maxRequestBodySize'>;
}

export const defaultHttpTransportsOptions: HttpTransportsOptions = {
  httpStream: endpoint('/connection/http_stream', true),
  sse: endpoint('/connection/sse', true),
  polling: { ...endpoint('/connection/polling', true), pollTimeoutMs: 20_000 },
  emulation: { handlerPrefix: '/emulation', maxRequestBodySize: 65_536 },
  uniSse: endpoint('/connection/uni_sse', false),
  uniHttpStream: endpoint('/connection/uni_http_stream', false),
  uniWebsocket: { enabled: false, handlerPrefix: '/connection/uni_websocket' },
  init: { enabled: true, handlerPrefix: '/connection/init' },
};

function endpoint(handlerPrefix: string, enabled: boolean): HttpEndpointOptions {
  return { enabled, handlerPrefix, maxRequestBodySize: 65_536 };
}

/** {@link HttpTransportsOptions} of which anything may be left at its default. */
export type GivenHttpTransportsOptions = {
  readonly [Name in keyof HttpTransportsOptions]?: Partial<HttpTransportsOptions[Name]>;
};

/** Fills in the defaults of each endpoint. */
export function resolveHttpTransportsOptions(
  given: GivenHttpTransportsOptions = {},
): HttpTransportsOptions {
  const defaults = defaultHttpTransportsOptions;
  return {
    httpStream: { ...defaults.httpStream, ...given.httpStream },
    sse: { ...defaults.sse, ...given.sse },
    polling: { ...defaults.polling, ...given.polling },
    emulation: { ...defaults.emulation, ...given.emulation },
    uniSse: { ...defaults.uniSse, ...given.uniSse },
    uniHttpStream: { ...defaults.uniHttpStream, ...given.uniHttpStream },
    uniWebsocket: { ...defaults.uniWebsocket, ...given.uniWebsocket },
    init: { ...defaults.init, ...given.init },
  };
}
