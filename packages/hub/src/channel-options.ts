/**
 * What a hub can be told about channels. Names and meaning are Centrifugo v6's, in camel case, with durations
 * in milliseconds (`history_ttl: "300s"` there is `historyTtlMs: 300_000` here).
 *
 * @module
 */
import {
  type ChannelNaming,
  defaultChannelNaming,
  type SubscriptionType,
} from '@holdfast/protocol';

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

/** Defaults of {@link MapOptions}. */
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

/** Defaults of {@link SharedPollOptions}. */
export const defaultSharedPollOptions: SharedPollOptions = {
  mode: 'versionless',
  refreshIntervalMs: 10_000,
  refreshBatchSize: 1_000,
  maxKeysPerConnection: 5_000,
  channelShutdownDelayMs: 1_000,
  trackExpiredExtraDelayMs: 25_000,
  publishEnabled: false,
};

/** Defaults of {@link ChannelOptions}: nothing is kept, and nothing allowed. */
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
export interface ChannelsOptions extends ChannelNaming {
  readonly withoutNamespace: GivenChannelOptions;
  readonly namespaces: readonly ({ readonly name: string } & GivenChannelOptions)[];
  /** @defaultValue 2592000000 (30 days) */
  readonly historyMetaTtlMs: number;
}

/** Defaults of {@link ChannelsOptions}. */
export const defaultChannelsOptions: ChannelsOptions = {
  ...defaultChannelNaming,
  withoutNamespace: {},
  namespaces: [],
  historyMetaTtlMs: 2_592_000_000,
};
