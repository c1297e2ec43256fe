import { duration, flag, integer, section, sectionList, text, textList } from '../option.ts';
import { originPatternFault } from './origin-pattern.ts';
import { connectProxy, refreshProxy } from './proxy.ts';
import { subscriptionToken, token } from './token.ts';

export const client = section('Client connections: who may connect, and their limits.', {
  proxy: section('Backend hooks for connections.', {
    connect: connectProxy,
    refresh: refreshProxy,
  }),
  allowed_origins: textList(
    'Origins of web pages that may connect, such as `https://example.com` or `https://*.example.com`; `*` alone is every page. Clients that send no `Origin` are not concerned. Empty: no page may connect.',
    {
      check(origins) {
        for (const origin of origins) {
          const fault = originPatternFault(origin);
          if (fault !== undefined) return `holds ${JSON.stringify(origin)}, which ${fault}`;
        }
        return undefined;
      },
    },
  ),
  token,
  subscription_token: subscriptionToken,
  allow_anonymous_connect_without_token: flag(
    false,
    'Clients may connect without a token; they are anonymous (empty user id).',
  ),
  disallow_anonymous_connection_tokens: flag(false, 'Refuse connection tokens without a user id.'),
  ping_interval: duration(
    '25s',
    'Time between two pings to a client. `0` or `-1`: no pings, dead connections are then found late.',
    { canBeOff: true },
  ),
  pong_timeout: duration(
    '8s',
    'Time that a client has to answer a ping; must be less than `ping_interval`. `0` or `-1`: pongs are not awaited.',
    { canBeOff: true },
  ),
  expired_close_delay: duration(
    '25s',
    'Grace after a connection expired, in which its client can refresh.',
  ),
  expired_sub_close_delay: duration('25s', 'Grace after a subscription expired.'),
  stale_close_delay: duration('10s', 'Time that a new connection has to send connect.'),
  channel_limit: integer(128, 'Subscriptions of one connection. `0`: no limit.'),
  queue_max_size: integer(
    1_048_576,
    'Bytes that may wait for one client; a slower one is disconnected with 3008.',
    { min: 1 },
  ),
  presence_update_interval: duration(
    '27s',
    'How often presence is refreshed and positions are checked.',
  ),
  presence_ttl: duration(
    '0s',
    'How long a presence entry lives without a refresh. `0`: twice `presence_update_interval`, but at least a minute.',
    { own: true },
  ),
  concurrency: integer(
    0,
    'Commands of one connection handled at the same time. `0` or `1`: one after the other, replies in order.',
  ),
  max_pending_commands: integer(
    1_024,
    'Commands of one connection that may wait while earlier ones are handled.',
    { own: true, min: 1 },
  ),
  max_pending_bytes: integer(
    1_048_576,
    'Bytes that may come while commands of one connection wait; with more it is not read from until none waits.',
    { own: true, min: 1 },
  ),
  channel_position_check_delay: duration(
    '40s',
    'Least time between two checks that a subscription has missed nothing.',
  ),
  connection_limit: integer(0, 'Connections of this node. `0`: no limit.'),
  user_connection_limit: integer(0, 'Connections of one user on this node. `0`: no limit.'),
  connection_rate_limit: integer(0, 'New connections per second of this node. `0`: no limit.'),
  connect_include_server_time: flag(false, "Tell clients the server's time in the connect reply."),
  history_max_publication_limit: integer(
    300,
    'Most publications of one history call by a client.',
    {
      min: 1,
    },
  ),
  recovery_max_publication_limit: integer(
    300,
    'Most publications recovered at once; a client that missed more is told that recovery failed.',
    { min: 1 },
  ),
  last_seen_ttl: duration('24h', 'How long a node remembers when a user left.', { own: true }),
  last_seen_max_users: integer(
    100_000,
    'Users whose leaving a node remembers; with more the oldest are forgotten.',
    { own: true },
  ),
  revocation_limit: integer(
    100_000,
    'Blocked users and revoked tokens; beyond it no more are taken (106).',
    { own: true, min: 1 },
  ),
  rate_limit: section(
    'How fast clients may send commands. One beyond a limit is answered with error 111, which clients take as "try later".',
    {
      commands_per_second: integer(100, 'Of one connection. `0`: no limit.', { own: true }),
      command_burst: integer(
        512,
        'Commands of one connection at once. Twice `channel_limit` always pass, because a client that comes back subscribes to everything in one message.',
        { own: true, min: 1 },
      ),
      publishes_per_second: integer(
        0,
        'Publishes of one connection, which count as commands too. `0`: no limit of their own.',
        { own: true },
      ),
      publish_burst: integer(100, 'Publishes of one connection at once.', { own: true, min: 1 }),
      user_commands_per_second: integer(
        0,
        'Of one user, over all connections to this node; anonymous clients and connects are not counted. `0`: no limit.',
        { own: true },
      ),
      user_command_burst: integer(2_048, 'Commands of one user at once.', { own: true, min: 1 }),
      close_multiple: integer(
        5,
        'A connection that goes beyond a limit this many times, in rate and in burst, ends with 3013. `0`: never.',
        { own: true },
      ),
    },
  ),
  http_rate_limit: section(
    'How fast users may send requests over plain HTTP, to what is theirs: notifications and tasks. One beyond the limit is answered with 429 and `Retry-After`.',
    {
      user_requests_per_second: integer(50, 'Of one user to this node. `0`: no limit.', {
        own: true,
      }),
      user_request_burst: integer(500, 'Requests of one user at once.', { own: true, min: 1 }),
    },
  ),
  insecure_skip_token_signature_verify: flag(
    false,
    'Accept tokens without looking at their signature. For tests only, together with `client.insecure`.',
  ),
  user_id_http_header: text(
    '',
    'Request header that holds the user id. Only behind a proxy that sets it itself and removes what clients send.',
  ),
  insecure: flag(
    false,
    'No token needed and every operation allowed, for everybody who can connect. For development only.',
  ),
  subscribe_to_user_personal_channel: section(
    "A channel of each user's own, subscribed by the server when the user connects.",
    {
      enabled: flag(
        false,
        'Subscribe users to their personal channel. Where the name would open it to others (`#a,b`), the user is refused (107).',
      ),
      personal_channel_namespace: text(
        '',
        'Namespace of personal channels. Empty: without namespace.',
      ),
      single_connection: flag(
        false,
        "A user's newest connection ends the older ones (3504). Needs `presence` in that namespace.",
      ),
    },
  ),
  connect_code_to_unidirectional_disconnect: section(
    'Which disconnect a unidirectional client gets for an error on connect.',
    {
      enabled: flag(false, 'Use `transforms`.'),
      transforms: sectionList('Replacements by error code.', {
        code: integer(0, 'Error code of connect.', { max: 1_999 }),
        to: section('The disconnect.', {
          code: integer(0, 'Disconnect code.', { max: 4_999 }),
          reason: text('', 'Reason, ASCII, 123 bytes at most.'),
        }),
      }),
    },
  ),
});
