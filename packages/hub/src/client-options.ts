/**
 * What a hub can be told about clients. Names and meaning are Centrifugo v6's, in camel case, with durations
 * in milliseconds (`history_ttl: "300s"` there is `historyTtlMs: 300_000` here).
 *
 * @module
 */

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

/** Defaults of {@link RateLimitOptions}. */
export const defaultRateLimitOptions: RateLimitOptions = {
  commandsPerSecond: 100,
  commandBurst: 512,
  publishesPerSecond: 0,
  publishBurst: 100,
  userCommandsPerSecond: 0,
  userCommandBurst: 2_048,
  closeMultiple: 5,
};

/** Defaults of {@link ClientOptions}. */
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

/** Defaults of {@link AdmissionOptions}. */
export const defaultAdmissionOptions: AdmissionOptions = {
  concurrency: 256,
  rate: 0,
  queueSize: 10_000,
  queueTimeoutMs: 4_000,
};
