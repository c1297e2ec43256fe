import { choice, duration, flag, integer, secret, section, text } from '../option.ts';

export const sharedPollOptions = section(
  'Shared poll: the server polls the backend on behalf of all subscribers.',
  {
    proxy_name: text('', 'Hook that is polled. Empty: `default`.'),
    refresh_interval: duration('0s', 'Time between two polls. `0`: 10 seconds.'),
    refresh_batch_size: integer(0, 'Keys of one request. `0`: 1000.'),
    max_keys_per_connection: integer(0, 'Keys that one connection may track. `0`: 5000.'),
    mode: choice(
      ['', 'versionless', 'versioned'],
      'Whether the backend tells versions, or content decides what has changed (`versionless`, the default).',
    ),
    channel_shutdown_delay: duration(
      '0s',
      'How long polling goes on after the last subscriber left. `0`: 1 second.',
    ),
    track_expired_extra_delay: duration(
      '0s',
      'How long a key outlives its signature. `0`: 25 seconds.',
    ),
    publish_enabled: flag(
      false,
      'Versions may also be published through the API. For `versioned`.',
    ),
  },
);

export const sharedPoll = section('Shared poll subscriptions.', {
  hmac_secret_key: secret('Secret that the signatures of tracked keys are made with.'),
  hmac_previous_secret_key: secret('Secret that was used before: still accepted.'),
  hmac_previous_secret_key_valid_until: integer(
    0,
    'Unix time in seconds until which the previous secret is accepted. `0`: for as long as it is configured.',
  ),
  concurrency_limit: integer(0, 'Polls of one node at the same time. `0`: no limit.'),
});
