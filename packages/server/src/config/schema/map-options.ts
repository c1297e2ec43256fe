import { choice, duration, flag, integer, section, text } from '../option.ts';

export const mapOptions = section('Map subscriptions: state by key.', {
  mode: choice(
    ['', 'ephemeral', 'recoverable', 'persistent'],
    '`ephemeral`: keys expire, no change stream. `recoverable`: keys expire, with a change stream. `persistent`: keys stay, with a change stream.',
  ),
  key_ttl: duration(
    '0s',
    'How long a key lives after its last update. For `ephemeral` and `recoverable`.',
  ),
  stream_size: integer(0, 'Changes kept. `0`: 100.'),
  stream_ttl: duration('0s', 'How long changes are kept. `0`: one minute.'),
  meta_ttl: duration('0s', 'How long epoch and top offset outlive the changes.'),
  remove_client_on_unsubscribe: flag(false, "Remove a client's key when it unsubscribes."),
  client_key: choice(
    ['', 'client_id', 'user_id'],
    'Key that clients write, whatever they ask for.',
  ),
  allow_publish_for_client: flag(false, 'Users with a token may write keys.'),
  allow_publish_for_subscriber: flag(false, 'Subscribers may write keys.'),
  allow_publish_for_anonymous: flag(false, 'The above, for anonymous clients too.'),
  allow_remove_for_client: flag(false, 'Users with a token may remove keys.'),
  allow_remove_for_subscriber: flag(false, 'Subscribers may remove keys.'),
  allow_remove_for_anonymous: flag(false, 'The above, for anonymous clients too.'),
  publish_proxy_enabled: flag(false, 'Ask the backend before a client writes a key.'),
  publish_proxy_name: text('default', 'Hook that is asked.'),
  remove_proxy_enabled: flag(false, 'Ask the backend before a client removes a key.'),
  remove_proxy_name: text('default', 'Hook that is asked.'),
  default_page_size: integer(0, 'Keys of a page when the client names no number. `0`: 100.'),
  min_page_size: integer(0, 'Fewest keys of a page. `0`: 100.'),
  max_page_size: integer(0, 'Most keys of a page. `0`: 1000.'),
  live_transition_max_publication_limit: integer(
    0,
    "Most changes sent when a subscription goes live. `0`: the server's default.",
  ),
  subscribe_catch_up_timeout: duration(
    '0s',
    'Time from the first page to live; then the client is disconnected with 3008. `0`: 5 seconds.',
  ),
});
