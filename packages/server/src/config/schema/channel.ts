import {
  choice,
  duration,
  flag,
  integer,
  section,
  sectionList,
  text,
  textList,
} from '../option.ts';
import { mapOptions } from './map-options.ts';
import { defaultProxy } from './proxy.ts';
import { regularExpression } from './regular-expression.ts';
import { sharedPollOptions } from './shared-poll.ts';

const dataFormats = ['', 'json', 'json_object', 'binary'] as const;

function permission(who: string, what: string): ReturnType<typeof flag> {
  return flag(false, `${who} may ${what}.`);
}

/** What the channels of a namespace do. */
const channelShape = {
  presence: flag(false, 'Keep who is in the channel.'),
  join_leave: flag(false, 'Publish when clients come and go.'),
  force_push_join_leave: flag(
    false,
    'Send join and leave to every subscriber, also without being asked.',
  ),
  history_size: integer(0, 'Publications kept. History is on when this and `history_ttl` are set.'),
  history_ttl: duration('0s', 'How long publications are kept.'),
  history_meta_ttl: duration(
    '0s',
    'How long epoch and top offset outlive history. `0`: `channel.history_meta_ttl`.',
  ),
  history_durable: flag(
    false,
    'Answer publishers, and tell subscribers, when the store has the publication: streams, positions and map states survive the death of the process. Without it they survive a stop in good order. Needs history or maps, and `store.enabled`.',
    { own: true },
  ),
  force_positioning: flag(false, 'Watch for missed publications for every subscriber.'),
  allow_positioning: flag(false, 'Subscribers may ask for positioning.'),
  force_recovery: flag(false, 'Every subscriber recovers what it missed. Needs history.'),
  allow_recovery: flag(false, 'Subscribers may ask for recovery. Needs history.'),
  force_recovery_mode: choice(
    ['', 'stream', 'cache'],
    'What recovery means: every missed publication (`stream`, the default) or the latest one (`cache`).',
  ),
  auto_cache_recover: flag(
    false,
    'Send the latest publication on every subscribe. Needs `force_recovery` and `force_recovery_mode: cache`.',
  ),
  allowed_delta_types: textList('Delta formats that subscribers may ask for: `fossil`.', {
    words: ['fossil'],
  }),
  delta_publish: flag(
    false,
    'Offer deltas for every publication, not only for those published with `delta`.',
  ),
  allow_tags_filter: flag(false, 'Subscribers may filter publications by tags.'),
  conflation_interval: duration(
    '0s',
    'Each subscriber gets at most one publication per key in this time, always the latest. `0`: every publication.',
    { own: true },
  ),
  conflation_key_tag: text(
    '',
    'Tag of publications whose value is the key of `conflation_interval`; those without it share one. Map channels have keys of their own.',
    { own: true },
  ),
  allow_subscribe_for_client: permission('Users with a token', 'subscribe'),
  allow_subscribe_for_anonymous: permission(
    'With `allow_subscribe_for_client`, anonymous clients',
    'subscribe too',
  ),
  allow_publish_for_client: permission('Users with a token', 'publish'),
  allow_publish_for_subscriber: permission('Subscribers', 'publish'),
  allow_publish_for_anonymous: permission(
    'With one of the two above, anonymous clients',
    'publish too',
  ),
  allow_presence_for_client: permission('Users with a token', 'read presence'),
  allow_presence_for_subscriber: permission('Subscribers', 'read presence'),
  allow_presence_for_anonymous: permission(
    'With one of the two above, anonymous clients',
    'read presence too',
  ),
  allow_history_for_client: permission('Users with a token', 'read history'),
  allow_history_for_subscriber: permission('Subscribers', 'read history'),
  allow_history_for_anonymous: permission(
    'With one of the two above, anonymous clients',
    'read history too',
  ),
  allow_user_limited_channels: flag(
    false,
    'Channels with user ids in their name (`dialog#1,2`) are open to these users.',
  ),
  channel_regex: regularExpression(
    'Names of channels must match, without namespace and separators; this also allows characters outside ASCII.',
  ),
  publication_data_format: choice(
    dataFormats,
    'What publications must be. Empty: `channel.publication_data_format`, or anything that is not empty.',
  ),
  subscribe_proxy_enabled: flag(false, 'Ask the backend before a client subscribes.'),
  subscribe_proxy_name: text('default', 'Hook that is asked.'),
  publish_proxy_enabled: flag(false, 'Ask the backend before a client publishes.'),
  publish_proxy_name: text('default', 'Hook that is asked.'),
  sub_refresh_proxy_enabled: flag(
    false,
    'Ask the backend whether an expiring subscription may go on.',
  ),
  sub_refresh_proxy_name: text('default', 'Hook that is asked.'),
  subscribe_stream_proxy_enabled: flag(false, 'Cannot be turned on in this version.', {
    check: (isOn) =>
      isOn
        ? 'cannot be on: it needs a gRPC backend, which is not supported, and without an answer nobody could be let in (use subscribe_proxy_enabled)'
        : undefined,
  }),
  subscription_type: choice(
    ['', 'stream', 'map', 'map_clients', 'map_users', 'shared_poll'],
    'How clients subscribe. Empty: `stream`.',
  ),
  map: mapOptions,
  shared_poll: sharedPollOptions,
  map_clients_presence_channel_prefix: text(
    '',
    "Keep who is connected as map state too, in the channel of this prefix and the channel's name.",
  ),
  map_users_presence_channel_prefix: text(
    '',
    "Keep which users are present as map state too, in the channel of this prefix and the channel's name.",
  ),
};

export const channel = section('Channels and their namespaces.', {
  proxy: section('Backend hooks for channels.', {
    subscribe: defaultProxy('subscribing'),
    publish: defaultProxy('publishing'),
    sub_refresh: defaultProxy('expiring subscriptions'),
    map_publish: defaultProxy('writing keys of a map'),
    map_remove: defaultProxy('removing keys of a map'),
    shared_poll_refresh: defaultProxy('shared polls'),
  }),
  without_namespace: section('Channels whose name has no namespace.', channelShape),
  namespaces: sectionList(
    'Namespaces: `chat:1` is a channel of the namespace `chat`. A channel of a namespace that is not listed is refused (102).',
    {
      name: text(
        '',
        'Name of the namespace: two characters or more, letters, digits, "_", "." and "-".',
      ),
      ...channelShape,
    },
  ),
  history_meta_ttl: duration(
    '720h',
    'How long epoch and top offset of a channel outlive its history.',
  ),
  publication_data_format: choice(
    dataFormats,
    'What publications must be, where the namespace does not say it.',
  ),
  max_length: integer(255, 'Longest name of a channel in bytes.', { min: 1, max: 65_535 }),
  private_prefix: text(
    '$',
    'Begins the name of a channel that needs a token. Empty: there are none.',
  ),
  namespace_boundary: text(':', "Ends the namespace in a channel's name."),
  user_boundary: text('#', "Begins the user ids in a channel's name."),
  user_separator: text(',', "Stands between two user ids in a channel's name."),
});
