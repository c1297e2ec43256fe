import {
  duration,
  flag,
  integer,
  secret,
  secretMap,
  section,
  sectionList,
  text,
  textList,
} from '../option.ts';
import { pathPrefix } from './path-prefix.ts';

const own = { own: true } as const;

export const inbox = section('Notifications for users. Needs the store. See docs/inbox.md.', {
  enabled: flag(true, 'Keep notifications.', own),
  handler_prefix: pathPrefix('/api/inbox', 'its HTTP endpoints; those for users are in `/me`', own),
  namespace: text(
    'inbox',
    'Namespace of the channels that carry its events, `inbox:#42` for the user 42. It need not be configured; one of `channel.namespaces` with this name takes its place.',
    own,
  ),
  max_body_size: integer(1_048_576, 'Longest request body in bytes, except of a streamed send.', {
    ...own,
    min: 1_024,
  }),
  max_recipients: integer(1_000_000, 'Most users of one streamed send.', { ...own, min: 1 }),
  open_topics: textList(
    'Topics that users may subscribe to by themselves, by name; a `*` at the end stands for any rest. To all others only the API key subscribes them, since whoever is subscribed gets what is sent there. Empty: to none.',
    {
      ...own,
      check(topics) {
        const wrong = topics.find((topic) => !/^(?:[a-z0-9][a-z0-9_.-]{0,63})?\*?$/.test(topic));
        return wrong === undefined
          ? undefined
          : `holds ${JSON.stringify(wrong)}, which is no name of a topic (a-z, 0-9, _ . -), with or without a * at its end`;
      },
    },
  ),
  categories: sectionList(
    'Where notifications of a category go, unless a user wants it otherwise; `*` stands for all categories that are not listed.',
    {
      name: text('', 'Name of the category, or `*`.', own),
      in_app: flag(true, 'Into the list of the user.', own),
      webhook: flag(false, 'To `inbox.escalation.webhook`, when nobody saw it.', own),
      email: flag(false, 'To `inbox.escalation.email`, when nobody saw it.', own),
      escalate_after: duration(
        '5m',
        'How long it may stay unread and unacknowledged before that. `0`: it goes there at once, whether a device has it or not.',
        own,
      ),
    },
  ),
  faces: section('Interfaces of other products that this inbox can stand behind.', {
    tradingagents: flag(
      false,
      "Serve the notifications of TradingAgents-CN's interface: `/api/notifications` with its event stream, and the socket `/api/ws/notifications`.",
      own,
    ),
    tradingagents_user_connection_limit: integer(
      50,
      'Sockets of one user at that face, and as many event streams. The interface leaks one with every token that it renews, about one an hour and tab.',
      { ...own, min: 20, max: 1_000 },
    ),
  }),
  retention: section('How long notifications are kept.', {
    max_age: duration('2160h', 'Older ones are removed.', { ...own, minMs: 60_000 }),
    max_per_user: integer(1_000, 'Most of one user; the oldest are removed.', { ...own, min: 1 }),
    keep_unread: flag(
      false,
      'Never remove unread ones by age, and by number only after all that are read.',
      own,
    ),
    sends: duration('168h', 'How long finished sends and idempotency keys are remembered.', {
      ...own,
      minMs: 1,
    }),
  }),
  redelivery: section('What a device that connects is given again.', {
    max_age: duration('168h', 'Notifications that it has not acknowledged, if not older.', own),
    limit: integer(100, 'The newest ones, at most.', { ...own, min: 1, max: 1_000 }),
  }),
  escalation: section('Notifications that nobody saw are carried out of the application.', {
    max_attempts: integer(8, 'Attempts for one notification and target.', { ...own, min: 1 }),
    min_delay: duration('10s', 'Before the second attempt; doubled each time.', {
      ...own,
      minMs: 1,
    }),
    max_delay: duration('1h', 'Longest time between two attempts.', { ...own, minMs: 1 }),
    timeout: duration('15s', 'Longest time that one attempt may take.', { ...own, minMs: 1 }),
    webhook: section('To a backend, signed (Standard Webhooks).', {
      endpoint: text('', 'URL, `https://`, or `http://` on this machine. Empty: none.', own),
      secret: secret(
        'Key of the signature: text of 32 bytes or more, or behind the prefix `whsec_` the base64 of a key of 24 bytes or more.',
        own,
      ),
    }),
    email: section('By e-mail.', {
      url: secret(
        'Mail server: `smtps://user:password@host:465`, or `smtp://` with TLS where it offers it. Empty: none.',
        own,
      ),
      from: text('', 'Sender, such as `Shop <no-reply@example.com>`.', own),
      to: text(
        '{user}',
        'Address of a user, when `address_endpoint` is empty: `{user}` is replaced by the user id.',
        own,
      ),
      address_endpoint: text(
        '',
        'URL of the backend that says it: gets a POST of `{"user": "42"}`, answers `{"email": "eve@example.com"}`, or `{}` for none.',
        own,
      ),
      http: section('Details of the requests to `address_endpoint`.', {
        static_headers: secretMap(
          'Headers sent with every request. `${HOLDFAST_VAR_NAME}` in a value is replaced by that environment variable.',
          own,
        ),
      }),
      link_base: text(
        '',
        'Put before links that begin with `/`, such as `https://app.example.com`. Empty: such links are left out.',
        own,
      ),
    }),
  }),
});
