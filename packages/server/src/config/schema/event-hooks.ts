import { eventTypes } from '../../hooks/events/options.ts';
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

const own = { own: true } as const;

export const eventHooks = sectionList(
  'Backends that are told what happens: clients come and go, subscribe and unsubscribe. Every event arrives at least once, in order. See docs/hooks.md.',
  {
    name: text('', 'Name, also that of the folder with the events that wait, in `data_dir`.', own),
    endpoint: text('', 'URL that events are sent to, `http://` or `https://`.', own),
    events: textList('Types of events that are sent. Empty: all.', { ...own, words: eventTypes }),
    channels: textList(
      'Patterns of channels whose events are sent, such as `chat:*`. Empty: all.',
      own,
    ),
    secret: secret('Key of the signature (Standard Webhooks). Empty: not signed.', own),
    timeout: duration('5s', 'Time that the backend has to accept a request.', own),
    include_connection_meta: flag(false, "Send the connection's `meta` with its events.", own),
    http: section('Details of the HTTP requests.', {
      static_headers: secretMap(
        'Headers sent with every request. `${HOLDFAST_VAR_NAME}` in a value is replaced by that environment variable.',
        own,
      ),
    }),
    batch_max_events: integer(100, 'Most events of one request.', { ...own, min: 1 }),
    batch_max_size: integer(
      65_536,
      'Most bytes of the events of one request; a single event may be longer.',
      { ...own, min: 1 },
    ),
    batch_max_delay: duration(
      '100ms',
      'How long a request that is not full waits for more after the one before it.',
      own,
    ),
    retry_max_delay: duration('30s', 'Longest time between two attempts.', own),
    journal_max_size: integer(
      67_108_864,
      'Most bytes on disk. Beyond it the oldest events are given up, and the backend is told how many.',
      { ...own, min: 65_536 },
    ),
    journal_sync_interval: duration(
      '1s',
      'Longest time until written events survive a power failure; `0`: before they are sent. They survive the death of the process in any case.',
      own,
    ),
  },
);
