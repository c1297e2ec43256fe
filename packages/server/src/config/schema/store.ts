import { choice, duration, flag, integer, secret, section } from '../option.ts';

const own = { own: true } as const;

export const store = section(
  'The store, for what must survive a restart: notifications and tasks. See docs/store.md.',
  {
    enabled: flag(true, 'Keep a store. Without it there are no notifications and no tasks.', own),
    url: secret(
      'Where it is: `postgres://user:password@host/database` (several hosts with `,` between them: the one that takes changes), or `sqlite:` and a path. Empty: the file `holdfast.db` in `data_dir`.',
      own,
    ),
    transaction_timeout: duration('10s', 'Longest time for one transaction or read.', {
      ...own,
      minMs: 1,
    }),
    max_waiting: integer(10_000, 'Transactions and reads that may wait for their turn.', {
      ...own,
      min: 1,
    }),
    max_wait: duration('5s', 'Longest time that one waits.', { ...own, minMs: 1 }),
    max_event_size: integer(65_536, 'Longest event in the outbox in bytes.', {
      ...own,
      min: 1_024,
    }),
    sqlite: section('When the store is SQLite.', {
      synchronous: choice(
        ['full', 'normal'],
        'What an acknowledged change survives: a power failure (`full`), or the death of the process only (`normal`).',
        own,
      ),
      lock_timeout: duration(
        '5s',
        'How long another process may hold the lock of the file before a change fails.',
        own,
      ),
      owner_wait: duration(
        '10s',
        'How long a start waits for another server of the same file to stop.',
        own,
      ),
      max_size: integer(
        0,
        'Most bytes of the file; beyond them changes fail as if the disk were full. `0`: no limit.',
        own,
      ),
    }),
    postgres: section('When the store is PostgreSQL.', {
      pool_size: integer(
        5,
        'Connections for transactions and reads, whatever the number of clients; one more listens.',
        { ...own, min: 1, max: 1_000 },
      ),
      start_wait: duration(
        '30s',
        'How long a start waits for a database that cannot be reached. Meanwhile requests are answered with 503.',
        own,
      ),
    }),
    outbox: section('Publishing of what changed.', {
      publish_timeout: duration('10s', 'Longest time that the broker may take for one event.', {
        ...own,
        minMs: 1,
      }),
      max_age: duration(
        '24h',
        'Events that could not be published for so long are dropped; their readers read the state itself.',
        { ...own, minMs: 1 },
      ),
      max_waiting: integer(1_000_000, 'Events that may wait; beyond it the oldest are dropped.', {
        ...own,
        min: 1,
      }),
    }),
  },
);
