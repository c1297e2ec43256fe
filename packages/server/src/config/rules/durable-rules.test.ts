import { describe, expect, test } from 'vitest';
import { loadSections } from '../../testing/load-sections.ts';

const secret = 'x'.repeat(32);
const kinds = [{ name: 'report' }];
const mail = { url: 'smtp://mail.example', from: 'a@b.c' };

const refused: readonly (readonly [key: string, word: string, sections: object])[] = [
  ['store.url', "neither 'sqlite:' nor 'postgres:'", { store: { url: 'mysql://u:geheim@h/d' } }],
  ['store.url', 'names no file', { store: { url: 'sqlite:' } }],
  ['store.url', 'not a valid URL', { store: { url: 'postgres://u:geheim@h:port/d' } }],
  ['store.transaction_timeout', '1ms or more', { store: { transaction_timeout: '0s' } }],
  ['store.sqlite.synchronous', 'one of', { store: { sqlite: { synchronous: 'off' } } }],
  ['store.postgres.pool_size', 'from 1', { store: { postgres: { pool_size: 0 } } }],
  ['inbox.handler_prefix', 'every path', { inbox: { handler_prefix: '' } }],
  ['inbox.handler_prefix', 'inbox', { inbox: { handler_prefix: 'inbox' } }],
  ['tasks.worker_handler_prefix', 'below', { tasks: { worker_handler_prefix: '/api/tasks/w' } }],
  ['tasks.handler_prefix', 'below', { tasks: { handler_prefix: '/api/inbox' } }],
  ['inbox.namespace', 'two characters', { inbox: { namespace: 'i' } }],
  ['tasks.user_namespace', 'inbox.namespace', { tasks: { user_namespace: 'inbox' } }],
  [
    'channel.namespaces[task].subscription_type',
    'stream',
    {
      channel: {
        namespaces: [
          { name: 'task', subscription_type: 'map', map: { mode: 'ephemeral', key_ttl: '60s' } },
        ],
      },
    },
  ],
  ['inbox.categories[News].name', 'lower-case', { inbox: { categories: [{ name: 'News' }] } }],
  [
    'inbox.categories[news].name',
    'second time',
    { inbox: { categories: [{ name: 'news' }, { name: 'news' }] } },
  ],
  [
    'inbox.categories[*].webhook',
    'inbox.escalation.webhook.endpoint',
    { inbox: { categories: [{ name: '*', webhook: true }] } },
  ],
  [
    'inbox.categories[*].email',
    'inbox.escalation.email.url',
    { inbox: { categories: [{ name: '*', email: true }] } },
  ],
  [
    'inbox.escalation.min_delay',
    'max_delay',
    { inbox: { escalation: { min_delay: '2h', max_delay: '1h' } } },
  ],
  [
    'inbox.escalation.webhook.endpoint',
    'https://',
    { inbox: { escalation: { webhook: { endpoint: 'http://example.com', secret } } } },
  ],
  [
    'inbox.escalation.webhook.secret',
    '32 bytes',
    { inbox: { escalation: { webhook: { endpoint: 'https://example.com', secret: 'short' } } } },
  ],
  [
    'inbox.escalation.webhook.endpoint',
    'password in it',
    { inbox: { escalation: { webhook: { endpoint: 'https://u:geheim@example.com', secret } } } },
  ],
  [
    'inbox.escalation.webhook.secret',
    'no base64 follows',
    { inbox: { escalation: { webhook: { endpoint: 'https://a.b', secret: `whsec_${secret}?` } } } },
  ],
  [
    'inbox.escalation.webhook.secret',
    '24 bytes',
    { inbox: { escalation: { webhook: { endpoint: 'https://a.b', secret: 'whsec_AQID' } } } },
  ],
  [
    'inbox.escalation.email.url',
    'smtp',
    { inbox: { escalation: { email: { ...mail, url: 'mail.example:25' } } } },
  ],
  [
    'inbox.escalation.email.from',
    'sender',
    { inbox: { escalation: { email: { url: mail.url } } } },
  ],
  [
    'inbox.escalation.email.to',
    'one address',
    { inbox: { escalation: { email: { ...mail, to: 'all@b.c' } } } },
  ],
  [
    'inbox.escalation.email.address_endpoint',
    'http',
    { inbox: { escalation: { email: { ...mail, address_endpoint: 'ftp://x' } } } },
  ],
  [
    'inbox.escalation.email.link_base',
    'whole address',
    { inbox: { escalation: { email: { ...mail, link_base: 'app' } } } },
  ],
  ['tasks.worker_token', 'guessed', { tasks: { worker_token: 'kurz' } }],
  ['tasks.kinds[a b].name', 'letters', { tasks: { kinds: [{ name: 'a b' }] } }],
  ['tasks.kinds[batch].name', 'itself', { tasks: { kinds: [{ name: 'batch' }] } }],
  ['tasks.kinds[report].name', 'second time', { tasks: { kinds: [...kinds, ...kinds] } }],
  [
    'tasks.kinds[report].lease',
    '1s or more',
    { tasks: { kinds: [{ name: 'report', lease: '0s' }] } },
  ],
  [
    'tasks.kinds[report].heartbeat',
    'lease',
    { tasks: { kinds: [{ name: 'report', lease: '10s', heartbeat: '10s' }] } },
  ],
  [
    'tasks.kinds[report].backoff_min',
    'backoff_max',
    { tasks: { kinds: [{ name: 'report', backoff_min: '2m', backoff_max: '1m' }] } },
  ],
  [
    'tasks.kinds[report].key',
    '{owner}',
    { tasks: { kinds: [{ name: 'report', key: '{owner}' }] } },
  ],
  [
    'tasks.schedules[nightly].kind',
    'tasks.kinds',
    { tasks: { schedules: [{ name: 'nightly', kind: 'report', every: '1h' }] } },
  ],
  [
    'tasks.schedules[nightly]',
    'either cron or everyMs',
    { tasks: { kinds, schedules: [{ name: 'nightly', kind: 'report' }] } },
  ],
  [
    'tasks.schedules[nightly]',
    'cron pattern',
    { tasks: { kinds, schedules: [{ name: 'nightly', kind: 'report', cron: 'at night' }] } },
  ],
  [
    'tasks.schedules[nightly]',
    'time zone',
    {
      tasks: {
        kinds,
        schedules: [{ name: 'nightly', kind: 'report', cron: '30 2 * * *', time_zone: 'Mars/One' }],
      },
    },
  ],
  [
    'tasks.schedules[nightly].payload',
    'JSON',
    {
      tasks: { kinds, schedules: [{ name: 'nightly', kind: 'report', every: '1h', payload: '{' }] },
    },
  ],
];

describe('the store and what stands on it', () => {
  test.each(refused)('%s is refused: %s', (key, word, sections) => {
    const result = loadSections(sections);
    if (!('errors' in result)) throw new Error('the configuration was not refused');
    expect(result.errors.map((error) => error.key)).toEqual([key]);
    const text = Object.values(result.errors[0] ?? {}).join(' ');
    expect(text).toContain(word);
    expect(text).not.toContain('geheim');
  });

  test('what is off is not looked at', () => {
    const broken = { inbox: { namespace: 'i' }, tasks: { kinds: [{ name: 'a b' }] } };
    expect(loadSections({ ...broken, store: { enabled: false } })).not.toHaveProperty('errors');
  });

  test('a namespace that loses events, or lets others in, is warned of', () => {
    const { warnings } = loadSections({ channel: { namespaces: [{ name: 'inbox' }] } });
    expect(warnings.map(({ key }) => key)).toEqual([
      'channel.namespaces[inbox].history_size',
      'channel.namespaces[inbox].allow_user_limited_channels',
    ]);
  });
});
