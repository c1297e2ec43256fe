import type { Bytes, ClientInfo, Publication } from '@holdfast/protocol';
import type { ChannelOptions } from './channel-options.ts';

/** How a client is connected. */
export interface TransportInfo {
  readonly name:
    | 'websocket'
    | 'http_stream'
    | 'sse'
    | 'polling'
    | 'uni_websocket'
    | 'uni_http_stream'
    | 'uni_sse';
  readonly format: 'json' | 'protobuf';
  readonly unidirectional: boolean;
  readonly remoteAddress: string;
  /** Lower-case names, of the request that opened the connection. Never logged as a whole. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What is known about a connection once it is authenticated. */
export interface Connection {
  readonly client: string;
  readonly user: string;
  readonly transport: TransportInfo;
  readonly info?: Bytes;
  /** Kept on the server only, handed to backend hooks. JSON. */
  readonly meta?: Bytes;
  /** Unix milliseconds. */
  readonly connectedAt: number;
  /** Client name and version as it introduced itself. */
  readonly name: string;
  readonly version: string;
  /** Headers that the client asked to be treated as HTTP headers (`connect.headers`). */
  readonly emulatedHeaders: Readonly<Record<string, string>>;
}

/** Channel options that one subscription may override. */
export type ChannelOverrides = Pick<
  ChannelOptions,
  'presence' | 'joinLeave' | 'forcePushJoinLeave' | 'forcePositioning' | 'forceRecovery'
>;

/** What tells a token from others; revocations go by it. */
export interface TokenIdentity {
  /** `jti`. */
  readonly id?: string;
  /** `iat`, Unix seconds. Absent counts as long ago. */
  readonly issuedAt?: number;
}

/** Permission to be in a channel, whoever gave it: a token, a hook, the server API or the rules. */
export interface SubscribeGrant {
  /** Unix seconds; 0 or absent: never expires. */
  readonly expireAt?: number;
  /** Becomes `chan_info`. */
  readonly info?: Bytes;
  /** Goes to the client in the subscribe result. */
  readonly data?: Bytes;
  readonly overrides?: Partial<ChannelOverrides>;
  /**
   * The application refreshes this subscription itself (`subRefreshing`), the client must not.
   * @defaultValue the namespace's `serverSideSubRefresh`
   */
  readonly serverSideRefresh?: boolean;
  /** Present when a subscription token gave this; revoking the token ends the subscription. */
  readonly token?: TokenIdentity;
}

/** Who a connection is, as found in a token, decided by a hook, or by configuration. */
export interface Credentials {
  readonly user: string;
  readonly info?: Bytes;
  /** Unix seconds; 0 or absent: never expires. */
  readonly expireAt?: number;
  /** Server-side subscriptions. */
  readonly subs?: Readonly<Record<string, SubscribeGrant>>;
  /** Goes to the client in the connect result. */
  readonly data?: Bytes;
  readonly meta?: Bytes;
  /**
   * The application refreshes this connection itself (`refreshing`), the client must not.
   * @defaultValue the hub's `client.serverSideRefresh`
   */
  readonly serverSideRefresh?: boolean;
  /** Present when a connection token says so; revoking the token ends the connection. */
  readonly token?: TokenIdentity;
}

/**
 * A client connects that no trusted header and no verified token has told of; `token` is empty unless the
 * hub verifies none.
 */
export interface ConnectingEvent {
  readonly client: string;
  readonly transport: TransportInfo;
  readonly token: string;
  readonly data?: Bytes;
  readonly name: string;
  readonly version: string;
  readonly emulatedHeaders: Readonly<Record<string, string>>;
  /** Server-side channels that the client wants to recover. */
  readonly channels: readonly string[];
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** A connection expires that its client does not refresh itself. */
export interface RefreshingEvent {
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/** `expired` closes the connection or subscription. */
export interface RefreshAnswer {
  readonly expired?: boolean;
  /** Unix seconds. */
  readonly expireAt?: number;
  readonly info?: Bytes;
  readonly meta?: Bytes;
}

/** An operation of a client on a channel that is waiting for permission. */
export interface ChannelEvent {
  readonly connection: Connection;
  readonly channel: string;
  /** Name of the namespace, `''` for channels without one. */
  readonly namespace: string;
  readonly options: ChannelOptions;
  readonly signal: AbortSignal;
}

/** A client wants to subscribe without a token, to a channel whose name is open to all users. */
export interface SubscribingEvent extends ChannelEvent {
  readonly token: string;
  readonly data?: Bytes;
}

/** A client wants to publish, or to write or remove a key of a map. */
export interface PublishingEvent extends ChannelEvent {
  readonly data: Bytes;
  /** Set for map channels: the key that is to be written, or removed. */
  readonly key?: string;
  readonly removed?: boolean;
}

/** Permission to publish, with what the application wants changed. */
export interface PublishGrant {
  readonly data?: Bytes;
  readonly skipHistory?: boolean;
  readonly tags?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string;
  readonly delta?: boolean;
  readonly version?: number;
  readonly versionEpoch?: string;
}

/** A subscription expires that its client does not refresh itself. */
export interface SubRefreshingEvent extends ChannelEvent {}

/** A client calls a method. */
export interface RpcEvent {
  readonly connection: Connection;
  readonly method: string;
  readonly data?: Bytes;
  readonly signal: AbortSignal;
}

/** A client sent a message that has no answer. */
export interface SendEvent {
  readonly connection: Connection;
  readonly data?: Bytes;
}

/** Keys of a shared-poll channel that are due; `version` is the one known, absent for none. */
export interface PollingEvent {
  readonly channel: string;
  readonly namespace: string;
  readonly options: ChannelOptions;
  readonly items: readonly { readonly key: string; readonly version?: number }[];
  /** Aborted when nobody is left in the channel. */
  readonly signal: AbortSignal;
}

/** What the application says of one key. Keys that it does not mention have not changed. */
export interface PolledItem {
  readonly key: string;
  readonly data?: Bytes;
  /** Grows with every change; ignored in versionless mode. */
  readonly version?: number;
  readonly removed?: boolean;
}

/** What the application says of the keys that were asked for. */
export interface PollAnswer {
  readonly items: readonly PolledItem[];
  /** Changes when versions begin anew. */
  readonly epoch?: string;
}

/** The connection of an authenticated client ended, however it did. */
export interface DisconnectedEvent {
  readonly connection: Connection;
  /** 0 when the client closed or vanished. */
  readonly code: number;
  readonly reason: string;
}

/** A client is in a channel. */
export interface SubscribedEvent {
  readonly connection: Connection;
  readonly channel: string;
  readonly isServerSide: boolean;
  readonly recovered: boolean;
  readonly wasRecovering: boolean;
}

/** A client is out of a channel. */
export interface UnsubscribedEvent {
  readonly connection: Connection;
  readonly channel: string;
  readonly isServerSide: boolean;
  /** 0 when the client asked, 1 when its connection ended. */
  readonly code: number;
  readonly reason: string;
}

/** A publication was accepted. */
export interface PublishedEvent {
  readonly channel: string;
  readonly publication: Publication;
  /** Absent when the server published. */
  readonly info?: ClientInfo;
}

/**
 * Questions that the hub asks the application. The first handler that answers anything but
 * `undefined` decides; when none does, tokens and channel rules decide alone. A handler refuses by
 * throwing `ReplyError` (the command fails) or `Disconnect` (the connection ends); any other throw
 * is logged and becomes error 100, which clients retry.
 */
export interface HubQuestions {
  connecting(event: ConnectingEvent): Credentials | undefined;
  refreshing(event: RefreshingEvent): RefreshAnswer | undefined;
  subscribing(event: SubscribingEvent): SubscribeGrant | undefined;
  subRefreshing(event: SubRefreshingEvent): RefreshAnswer | undefined;
  publishing(event: PublishingEvent): PublishGrant | undefined;
  rpc(event: RpcEvent): { readonly data?: Bytes } | undefined;
  send(event: SendEvent): true | undefined;
  /** Called every `refreshIntervalMs` while anybody tracks keys, and at once for new ones. */
  polling(event: PollingEvent): PollAnswer | undefined;
}

/** Facts that the hub reports. Handlers cannot change anything; what they throw is logged. */
export interface HubNotices {
  connected(connection: Connection): void;
  disconnected(event: DisconnectedEvent): void;
  subscribed(event: SubscribedEvent): void;
  unsubscribed(event: UnsubscribedEvent): void;
  /** On the node that accepted the publish, after the broker took it. */
  published(event: PublishedEvent): void;
}

/** What a handler of a question may answer; undefined leaves it to the next one. */
export type Answer<Name extends keyof HubQuestions> = ReturnType<HubQuestions[Name]>;

/** A handler for each event; question handlers may be async. */
export type HubHandlers = {
  readonly [Name in keyof HubQuestions]: (
    event: Parameters<HubQuestions[Name]>[0],
  ) => Answer<Name> | Promise<Answer<Name>>;
} & {
  readonly [Name in keyof HubNotices]: (
    event: Parameters<HubNotices[Name]>[0],
  ) => void | Promise<void>;
};
