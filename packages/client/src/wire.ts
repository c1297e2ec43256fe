import type { FilterNode } from 'centrifuge';
import type { ConnectionState } from './connection-state.ts';
import type { Entry, EntryChange, MapOptions, PollOptions } from './keyed.ts';

/** A place in a channel's stream. */
export interface Position {
  readonly offset: number;
  /** Changes when the stream's history was lost or made anew. */
  readonly epoch: string;
}

/** Who did something: a connection of a user. */
export interface ClientInfo {
  readonly client: string;
  readonly user: string;
  readonly connInfo?: unknown;
  readonly chanInfo?: unknown;
}

/** A message of a channel. */
export interface Publication<Data = unknown> {
  readonly channel: string;
  readonly data: Data;
  /** Present in channels with positions. */
  readonly offset?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** Present when a client published it. */
  readonly info?: ClientInfo;
}

/** What a channel is subscribed with. All that share a channel in one client use the same. */
export interface ChannelOptions {
  /** Sent with the subscribe command. */
  readonly data?: unknown;
  /** Subscription token, for channels that need one. */
  readonly token?: string;
  readonly positioned?: boolean;
  readonly recoverable?: boolean;
  readonly joinLeave?: boolean;
  /** Only publications whose tags match are delivered. */
  readonly tagsFilter?: FilterNode;
  /** Take publications as deltas, where the server allows it. Not together with `tagsFilter`. */
  readonly delta?: 'fossil';
  /**
   * Loads the application's state and gives the position that it is of, which must have been read before
   * it: at first, and when recovery is impossible.
   */
  readonly getState?: () => Promise<Position>;
}

/** What becomes of a subscription. */
export type StateEvent =
  | { readonly type: 'subscribing'; readonly code: number; readonly reason: string }
  | {
      readonly type: 'subscribed';
      /** It was asked to continue from a position. */
      readonly wasRecovering: boolean;
      /** Everything since that position follows, or nothing was missed. */
      readonly recovered: boolean;
      /** Absent in channels without positions. */
      readonly position?: Position;
      readonly data?: unknown;
      /** In shared polls: versions of keys can be compared as long as this stays the same. */
      readonly epoch?: string;
    }
  /** The server ended the subscription for good, or the application's token function did. */
  | { readonly type: 'unsubscribed'; readonly code: number; readonly reason: string }
  /** Something went wrong and is tried again. */
  | { readonly type: 'error'; readonly code: number; readonly message: string };

/** What happens in one channel, in the order in which it happens. */
export type ChannelEvent =
  | StateEvent
  | { readonly type: 'publication'; readonly publication: Publication }
  | { readonly type: 'join' | 'leave'; readonly info: ClientInfo };

/** What happens to the keys of one channel. */
export type KeyedEvent =
  | StateEvent
  /** Of a shared poll: what was known is another user's. All that is tracked is asked for anew. */
  | { readonly type: 'reset' }
  /** All keys of a map, and the position that they are of where it has any. */
  | { readonly type: 'sync'; readonly entries: readonly Entry[]; readonly position?: Position }
  | {
      readonly type: 'change';
      readonly change: EntryChange;
      /** Of the change, in maps with positions. */
      readonly offset?: number;
      /** Of the key, in shared polls. */
      readonly version?: number;
    };

interface HasChannelToken {
  readonly getToken?: (context: { readonly channel: string }) => Promise<string>;
}

/** Keys that shall be followed. */
export type KeyedRequest =
  | {
      readonly channel: string;
      readonly kind: 'map';
      readonly options: MapOptions & HasChannelToken;
      /** Begin with what changed after this, for one who has the map as it was then. */
      readonly since?: Position;
    }
  | {
      readonly channel: string;
      readonly kind: 'poll';
      readonly options: PollOptions & HasChannelToken;
    };

/** Keys that are followed. */
export interface KeyedHandle {
  track(keys: readonly string[]): void;
  untrack(keys: readonly string[]): void;
  detach(): void;
}

/** One question to the server, or one thing to tell it. */
export type Call =
  | { readonly type: 'publish'; readonly channel: string; readonly data: unknown }
  | {
      readonly type: 'map_set';
      readonly channel: string;
      readonly key: string;
      readonly data: unknown;
    }
  | { readonly type: 'map_remove'; readonly channel: string; readonly key: string }
  | { readonly type: 'rpc'; readonly method: string; readonly data: unknown }
  | { readonly type: 'history'; readonly channel: string; readonly options: HistoryOptions }
  | { readonly type: 'presence' | 'presence_stats'; readonly channel: string };

/** Which part of a channel's history is read. */
export interface HistoryOptions {
  /** 0 asks for the position alone. @defaultValue 0 */
  readonly limit?: number;
  /** Only what came after this. */
  readonly since?: Position;
  /** Newest first. @defaultValue false */
  readonly reverse?: boolean;
}

/** What a {@link Wire} reports. */
export interface WireEvents {
  state(state: ConnectionState): void;
  channel(channel: string, event: ChannelEvent): void;
  /** In a channel that the server subscribed to; never in one attached by the client. */
  serverChannel(channel: string, event: ChannelEvent): void;
  message(data: unknown): void;
}

/**
 * What carries a client's traffic: a connection of its own, or one that is shared. Every method
 * returns at once, and everything learned comes back through {@link WireEvents}. A channel that is
 * attached stays attached through losses of the connection, until it is detached.
 */
export interface Wire {
  readonly state: ConnectionState;
  connect(): void;
  disconnect(): void;
  /** Replaces the token and connects anew with it; an empty one asks the token function. */
  setToken(token: string): void;
  attach(channel: string, options: ChannelOptions, since?: Position): void;
  detach(channel: string): void;
  /**
   * Follows keys until the handle is detached, through losses of the connection.
   *
   * @throws {@link ClientError} `misused` for a channel in use.
   */
  attachKeyed(request: KeyedRequest, report: (event: KeyedEvent) => void): KeyedHandle;
  /**
   * @throws {@link ClientError} `not_connected` (it was not sent), `outcome_unknown` (it was, and no
   * answer came) or `refused`.
   */
  call(call: Call): Promise<unknown>;
  /** Time of one question and its answer. Undefined when none came in time. */
  measureRoundTrip(): Promise<number | undefined>;
  /** Ends everything. The wire cannot be used any more. */
  close(): void;
}
