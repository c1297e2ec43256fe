import type { ClientErrorCode, ClientErrorDetails } from '../client-error.ts';
import type { ConnectionState } from '../connection-state.ts';
import type { ConnectionOptions } from '../options.ts';
import type { Call, ChannelEvent, KeyedEvent, Position } from '../wire.ts';

/** Which leader a message comes from or is meant for. A later term always wins. */
export interface Leader {
  /** When it was elected: wall clock, in milliseconds. */
  readonly term: number;
  readonly id: string;
}

/** What of the options can be sent to another tab or a worker; functions stay where they are. */
export interface SharedOptions extends Pick<
  ConnectionOptions,
  | 'endpoints'
  | 'emulationEndpoint'
  | 'name'
  | 'backoff'
  | 'connectTimeoutMs'
  | 'maxPingDelayMs'
  | 'token'
  | 'data'
  | 'headers'
> {
  readonly hasGetToken: boolean;
  readonly hasGetChannelToken: boolean;
}

export type ChannelKind = 'stream' | 'map' | 'poll';

/** What a tab follows, and where it is. */
export interface WantedChannel {
  readonly channel: string;
  readonly kind: ChannelKind;
  /** Those that are no functions: these stay where they are. */
  readonly options: object;
  /** Of a stream or a map: the tab has everything up to here. */
  readonly since?: Position;
  /** Of a shared poll: those that the tab tracks. */
  readonly keys?: readonly string[];
}

/** What happens in a channel of any kind. */
export type FollowedEvent = ChannelEvent | KeyedEvent;

/** Where a tab is in the channels that the server subscribed to. */
export interface ServerPlaces {
  /** Whose connection it was. */
  readonly user: string;
  readonly channels: readonly Pick<WantedChannel, 'channel' | 'since'>[];
}

/** From a tab, for the leader it names. */
export type TabMessage =
  | {
      readonly kind: 'hello';
      readonly options: SharedOptions;
      readonly wantsConnection: boolean;
      readonly channels: readonly WantedChannel[];
      readonly server: ServerPlaces;
    }
  | { readonly kind: 'attach'; readonly wanted: WantedChannel }
  | { readonly kind: 'detach'; readonly channel: string }
  | {
      readonly kind: 'track' | 'untrack';
      readonly channel: string;
      readonly keys: readonly string[];
    }
  | { readonly kind: 'call'; readonly id: number; readonly call: Call }
  | { readonly kind: 'measure'; readonly id: number }
  | { readonly kind: 'want'; readonly connection: boolean }
  | { readonly kind: 'token'; readonly token: string }
  /** Absent: this tab cannot give it. */
  | { readonly kind: 'given'; readonly id: number; readonly value?: unknown }
  | { readonly kind: 'wake' }
  | { readonly kind: 'bye' };

/**
 * What only pages have functions for: a token of the connection; with a channel, one of that; with keys
 * too, the signature that allows to track them.
 */
export interface Question {
  readonly channel?: string;
  readonly keys?: readonly string[];
}

/** From a leader, for the tabs it names, or for all. */
export type LeaderMessage =
  /** I am the leader: after an election, and to whoever asks. Hidden: another should be. */
  | { readonly kind: 'leader'; readonly isHidden: boolean }
  | {
      readonly kind: 'state';
      readonly state: ConnectionState;
      /** Whose the connection is, or was when it was last open. */
      readonly user?: string;
    }
  | {
      readonly kind: 'events';
      readonly channel: string;
      /** Heard together: a map is never half there. */
      readonly events: readonly FollowedEvent[];
    }
  | {
      readonly kind: 'server_events';
      readonly channel: string;
      readonly events: readonly FollowedEvent[];
    }
  /** One of you gave this for all of you. */
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'message'; readonly data: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'failure';
      readonly id: number;
      readonly code: ClientErrorCode;
      readonly message: string;
      readonly details: ClientErrorDetails;
    }
  | ({ readonly kind: 'wanted'; readonly id: number } & Question);

/** What goes over the BroadcastChannel. */
export type Envelope =
  | {
      readonly from: 'tab';
      readonly tab: string;
      readonly leader: string;
      readonly body: TabMessage;
    }
  | {
      readonly from: 'leader';
      readonly leader: Leader;
      readonly to?: readonly string[];
      readonly body: LeaderMessage;
    }
  /** Is there a leader? And does it know me, who introduced itself to it? */
  | { readonly from: 'asker'; readonly tab?: string };

/** Names on this origin. The number changes with the messages, so that old and new tabs never mix. */
export function sharedName(key: string): string {
  return `holdfast/4:${key}`;
}

/** The lock that a tab holds as long as it lives. */
export function tabLockName(name: string, tab: string): string {
  return `${name}:tab:${tab}`;
}
