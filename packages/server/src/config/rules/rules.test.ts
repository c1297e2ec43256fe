import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { loadSections } from '../../testing/load-sections.ts';
import { testConfig } from '../../testing/test-config.ts';

const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();
const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

const history = { history_size: 10, history_ttl: '60s' };

/** Configurations with one thing that cannot work: the key that is named, and a word of the message. */
const refused: readonly (readonly [key: string, word: string, sections: object])[] = [
  ['http_server.port', 'from 0 to 65535', { http_server: { port: 65_536 } }],
  ['http_server.port', 'whole number', { http_server: { port: '80a' } }],
  ['http_server.port', 'whole number', { http_server: { port: 80.5 } }],
  [
    'http_server.internal_address',
    'internal_port',
    { http_server: { internal_address: '10.0.0.1' } },
  ],
  [
    'http_server.tls.cert_pem',
    'certificate',
    { http_server: { tls: { enabled: true, key_pem: ecKey } } },
  ],
  [
    'http_server.tls.key_pem',
    'certificate',
    { http_server: { tls: { enabled: true, cert_pem: ecKey } } },
  ],
  [
    'http_server.tls_autocert.enabled',
    'certificates',
    { http_server: { tls_autocert: { enabled: true } } },
  ],
  ['http_server', 'a section', { http_server: 8000 }],
  ['shutdown.timeout', 'cut', { shutdown: { timeout: 0 } }],
  ['log.level', 'one of', { log: { level: 'loud' } }],
  ['http_api.handler_prefix', 'begin with "/"', { http_api: { handler_prefix: 'api' } }],
  ['http_api.handler_prefix', 'ends with "/"', { http_api: { handler_prefix: '/api/' } }],
  [
    'sse.handler_prefix',
    'websocket',
    { sse: { enabled: true, handler_prefix: '/connection/websocket' } },
  ],
  ['client.ping_interval', 'pong_timeout', { client: { ping_interval: '8s' } }],
  ['client.ping_interval', 'duration', { client: { ping_interval: 25 } }],
  ['client.ping_interval', 'duration', { client: { ping_interval: 'often' } }],
  ['client.stale_close_delay', 'authenticate', { client: { stale_close_delay: '0s' } }],
  ['client.expired_close_delay', 'duration', { client: { expired_close_delay: '-1s' } }],
  ['client.presence_ttl', 'vanish', { client: { presence_ttl: '20s' } }],
  ['client.channel_limit', '0 or more', { client: { channel_limit: -1 } }],
  ['client.insecure', 'true or false', { client: { insecure: 'yes' } }],
  ['client.allowed_origins', 'no scheme', { client: { allowed_origins: ['example.com'] } }],
  [
    'client.allowed_origins',
    '"/" after the host',
    { client: { allowed_origins: ['https://a.b/'] } },
  ],
  ['client.allowed_origins', 'wildcard', { client: { allowed_origins: ['https://{a,b}.c'] } }],
  ['client.allowed_origins', 'of the form', { client: { allowed_origins: ['https://a b'] } }],
  ['client.allowed_origins', 'list of texts', { client: { allowed_origins: [5] } }],
  [
    'client.token.audience',
    'audience_regex',
    { client: { token: { audience: 'a', audience_regex: 'b' } } },
  ],
  [
    'client.token.issuer',
    'issuer_regex',
    { client: { token: { issuer: 'a', issuer_regex: 'b' } } },
  ],
  ['client.token.audience_regex', 'compile', { client: { token: { audience_regex: '(' } } }],
  ['client.token.user_id_claim', 'letters', { client: { token: { user_id_claim: 'a.b' } } }],
  [
    'client.token.rsa_public_key',
    'not a public key',
    { client: { token: { rsa_public_key: 'PEM' } } },
  ],
  ['client.token.rsa_public_key', 'type ec', { client: { token: { rsa_public_key: ecKey } } }],
  [
    'client.token.ecdsa_public_key',
    'type rsa',
    { client: { token: { ecdsa_public_key: rsaKey } } },
  ],
  [
    'client.token.jwks_public_endpoint',
    'URL',
    { client: { token: { jwks_public_endpoint: 'keys' } } },
  ],
  ['client.token.hmac_secret_key', 'text', { client: { token: { hmac_secret_key: 12_345 } } }],
  [
    'client.subscription_token.enabled',
    'without a key',
    { client: { subscription_token: { enabled: true } } },
  ],
  [
    'client.subscribe_to_user_personal_channel.personal_channel_namespace',
    'not one of',
    {
      client: {
        subscribe_to_user_personal_channel: { enabled: true, personal_channel_namespace: 'me' },
      },
    },
  ],
  [
    'client.subscribe_to_user_personal_channel.single_connection',
    'channel.without_namespace.presence is off',
    { client: { subscribe_to_user_personal_channel: { enabled: true, single_connection: true } } },
  ],
  [
    'client.subscribe_to_user_personal_channel.single_connection',
    'channel.namespaces[me].presence is off',
    {
      client: {
        subscribe_to_user_personal_channel: {
          enabled: true,
          single_connection: true,
          personal_channel_namespace: 'me',
        },
      },
      channel: { namespaces: [{ name: 'me' }] },
    },
  ],
  [
    'client.connect_code_to_unidirectional_disconnect.transforms[0].code',
    'missing',
    {
      client: {
        connect_code_to_unidirectional_disconnect: { transforms: [{ to: { code: 4000 } }] },
      },
    },
  ],
  [
    'client.proxy.connect.endpoint',
    'missing',
    { client: { proxy: { connect: { enabled: true } } } },
  ],
  [
    'client.proxy.refresh.endpoint',
    'gRPC',
    { client: { proxy: { refresh: { enabled: true, endpoint: 'grpc://127.0.0.1:1' } } } },
  ],
  ['proxies[hook].endpoint', 'URL', { proxies: [{ name: 'hook', endpoint: 'localhost' }] }],
  [
    'proxies[hook].timeout',
    'no time',
    { proxies: [{ name: 'hook', endpoint: 'http://a', timeout: 0 }] },
  ],
  ['proxies[default].name', 'stands for', { proxies: [{ name: 'default', endpoint: 'http://a' }] }],
  ['proxies[0].name', 'missing', { proxies: [{ endpoint: 'http://a' }] }],
  ['proxies', 'a list', { proxies: { hook: { endpoint: 'http://a' } } }],
  [
    'proxies[hook].http.status_to_code_transforms[0]',
    'no answer',
    {
      proxies: [
        {
          name: 'hook',
          endpoint: 'http://a',
          http: { status_to_code_transforms: [{ status_code: 404 }] },
        },
      ],
    },
  ],
  [
    'proxies[hook].http.status_to_code_transforms[0].to_error.message',
    'ASCII',
    {
      proxies: [
        {
          name: 'hook',
          endpoint: 'http://a',
          http: {
            status_to_code_transforms: [
              { status_code: 404, to_error: { code: 404, message: 'é' } },
            ],
          },
        },
      ],
    },
  ],
  ['channel.namespaces[a].name', 'two characters', { channel: { namespaces: [{ name: 'a' }] } }],
  [
    'channel.namespaces[a:b].name',
    'two characters',
    { channel: { namespaces: [{ name: 'a:b' }] } },
  ],
  ['channel.namespaces[0].name', 'missing', { channel: { namespaces: [{}] } }],
  [
    'channel.namespaces[chat].name',
    'a second time',
    { channel: { namespaces: [{ name: 'chat' }, { name: 'chat' }] } },
  ],
  ['channel.user_boundary', 'empty', { channel: { user_boundary: '' } }],
  ['channel.namespace_boundary', 'the same', { channel: { namespace_boundary: '#' } }],
  ['channel.max_length', '1 to', { channel: { max_length: 0 } }],
  ['channel.publication_data_format', 'one of', { channel: { publication_data_format: 'xml' } }],
  [
    'channel.without_namespace.history_size',
    'history_ttl',
    { channel: { without_namespace: { history_size: 5 } } },
  ],
  [
    'channel.without_namespace.history_ttl',
    'history_size',
    { channel: { without_namespace: { history_ttl: '5s' } } },
  ],
  [
    'channel.without_namespace.history_ttl',
    'history_meta_ttl',
    { channel: { without_namespace: { ...history, history_meta_ttl: '30s' } } },
  ],
  [
    'channel.namespaces[chat].history_durable',
    'without history',
    { channel: { namespaces: [{ name: 'chat', history_durable: true }] } },
  ],
  [
    'channel.without_namespace.history_durable',
    'without a store',
    {
      store: { enabled: false },
      channel: { without_namespace: { ...history, history_durable: true } },
    },
  ],
  [
    'channel.without_namespace.history_durable',
    'without node.name',
    {
      store: { url: 'postgres://user:password@127.0.0.1/database' },
      channel: { without_namespace: { ...history, history_durable: true } },
    },
  ],
  [
    'channel.namespaces[chat].force_recovery',
    'without history',
    { channel: { namespaces: [{ name: 'chat', force_recovery: true }] } },
  ],
  [
    'channel.without_namespace.auto_cache_recover',
    'force_recovery',
    {
      channel: {
        without_namespace: { ...history, auto_cache_recover: true, force_recovery: true },
      },
    },
  ],
  [
    'channel.without_namespace.force_recovery_mode',
    'one of',
    { channel: { without_namespace: { force_recovery_mode: 'all' } } },
  ],
  [
    'channel.without_namespace.allowed_delta_types',
    'fossil',
    { channel: { without_namespace: { allowed_delta_types: ['xdelta'] } } },
  ],
  [
    'channel.without_namespace.channel_regex',
    'compile',
    { channel: { without_namespace: { channel_regex: '[' } } },
  ],
  [
    'channel.without_namespace.subscribe_proxy_enabled',
    'channel.proxy.subscribe.endpoint',
    { channel: { without_namespace: { subscribe_proxy_enabled: true } } },
  ],
  [
    'channel.namespaces[chat].publish_proxy_enabled',
    'not one of proxies',
    { channel: { namespaces: [{ name: 'chat', publish_proxy_name: 'hook' }] } },
  ],
  [
    'channel.without_namespace.subscribe_stream_proxy_enabled',
    'gRPC',
    { channel: { without_namespace: { subscribe_stream_proxy_enabled: true } } },
  ],
  [
    'channel.without_namespace.map.mode',
    'missing',
    { channel: { without_namespace: { subscription_type: 'map' } } },
  ],
  [
    'channel.without_namespace.map.key_ttl',
    'expire',
    { channel: { without_namespace: { map: { mode: 'ephemeral' } } } },
  ],
  [
    'channel.without_namespace.map.key_ttl',
    'do not expire',
    { channel: { without_namespace: { map: { mode: 'persistent', key_ttl: '5s' } } } },
  ],
  [
    'channel.without_namespace.map.mode',
    'for ever',
    {
      channel: {
        without_namespace: { subscription_type: 'map_users', map: { mode: 'persistent' } },
      },
    },
  ],
  [
    'channel.without_namespace.map.stream_size',
    'no change stream',
    {
      channel: { without_namespace: { map: { mode: 'ephemeral', key_ttl: '5s', stream_size: 5 } } },
    },
  ],
  [
    'channel.without_namespace.map.meta_ttl',
    'stream_ttl',
    { channel: { without_namespace: { map: { mode: 'persistent', meta_ttl: '5s' } } } },
  ],
  [
    'channel.without_namespace.map.min_page_size',
    'max_page_size',
    { channel: { without_namespace: { map: { min_page_size: 5, max_page_size: 4 } } } },
  ],
  [
    'channel.without_namespace.map.publish_proxy_enabled',
    'client_key',
    {
      channel: {
        proxy: { map_publish: { endpoint: 'http://a' } },
        without_namespace: { map: { publish_proxy_enabled: true, client_key: 'user_id' } },
      },
    },
  ],
  [
    'channel.without_namespace.map.remove_client_on_unsubscribe',
    'not a map',
    { channel: { without_namespace: { map: { remove_client_on_unsubscribe: true } } } },
  ],
  [
    'channel.without_namespace.map_clients_presence_channel_prefix',
    'does not exist',
    { channel: { without_namespace: { map_clients_presence_channel_prefix: 'who:' } } },
  ],
  [
    'channel.without_namespace.shared_poll.proxy_name',
    'shared_poll_refresh.endpoint',
    {
      shared_poll: { hmac_secret_key: 'x' },
      channel: { without_namespace: { subscription_type: 'shared_poll' } },
    },
  ],
  [
    'shared_poll.hmac_secret_key',
    'signed',
    {
      channel: {
        proxy: { shared_poll_refresh: { endpoint: 'http://a' } },
        without_namespace: { subscription_type: 'shared_poll' },
      },
    },
  ],
  [
    'rpc.without_namespace.proxy_enabled',
    'rpc.proxy.endpoint',
    { rpc: { without_namespace: { proxy_enabled: true } } },
  ],
  ['admission.queue_timeout', 'queue_size: 0', { admission: { queue_timeout: '0s' } }],
  ['rpc.namespaces[a].name', 'two characters', { rpc: { namespaces: [{ name: 'a' }] } }],
];

describe('configurations that cannot work', () => {
  test.each(refused)('%s is refused (%s)', (key, word, sections) => {
    const result = loadSections(sections);
    if (!('errors' in result)) throw new Error('was not refused');
    expect(result.errors.map((error) => error.key)).toEqual([key]);
    const [error] = result.errors;
    expect(`${error?.problem} ${error?.reason} ${error?.remedy}`).toContain(word);
    expect(error?.reason).toMatch(/\S/);
    expect(error?.remedy).toMatch(/\S/);
  });

  test('all problems are told at once, with the source of each value', () => {
    const result = loadSections({
      http_server: { port: 'x' },
      client: { ping_interval: '1s' },
      channel: { namespaces: [{ name: 'x' }, { name: 'ok', force_recovery: true }] },
    });
    expect('errors' in result && result.errors.map(({ key, origin }) => [key, origin])).toEqual([
      ['http_server.port', { source: 'file', file: 'config.json' }],
      ['client.ping_interval', { source: 'file', file: 'config.json' }],
      ['channel.namespaces[x].name', { source: 'file', file: 'config.json' }],
      ['channel.namespaces[ok].force_recovery', { source: 'file', file: 'config.json' }],
    ]);
  });

  test('an invalid value brings no problems that only follow from it', () => {
    const result = loadSections({
      channel: {
        without_namespace: { history_size: 'many', history_ttl: '5s', force_recovery: true },
      },
    });
    expect('errors' in result && result.errors.map(({ key }) => key)).toEqual([
      'channel.without_namespace.history_size',
    ]);
  });
});

describe('configurations that work', () => {
  test.each<readonly [string, object]>([
    ['no pings', { client: { ping_interval: -1 } }],
    ['nobody waits', { admission: { queue_timeout: '0s', queue_size: 0 } }],
    ['less time to end than to drain', { shutdown: { timeout: '2s' } }],
    ['no pongs', { client: { ping_interval: '5s', pong_timeout: '-1' } }],
    ['long presence interval without presence_ttl', { client: { presence_update_interval: '5m' } }],
    ['a port as text', { http_server: { port: '8000', internal_port: '9000' } }],
    ['internal_port as Centrifugo has it', { http_server: { internal_port: '' } }],
    ['Go named groups', { client: { token: { issuer_regex: '^https://(?P<tenant>[a-z]+)$' } } }],
    ['an RSA key', { client: { token: { rsa_public_key: rsaKey } } }],
    ['an EC key', { client: { token: { ecdsa_public_key: ecKey } } }],
    [
      'origins',
      {
        client: {
          allowed_origins: [
            '*',
            'null',
            'https://*.a.com',
            'http://[::1]:80',
            'http://localhost:*',
            'capacitor://localhost',
            'file://',
            'HTTPS://A.com',
          ],
        },
      },
    ],
    ['null as not set', { client: null, channel: { namespaces: null, max_length: null } }],
    [
      'a map presence namespace',
      {
        channel: {
          namespaces: [
            { name: 'chat', map_clients_presence_channel_prefix: 'who:' },
            {
              name: 'who',
              subscription_type: 'map_clients',
              map: { mode: 'ephemeral', key_ttl: '60s' },
            },
          ],
        },
      },
    ],
  ])('%s', (_, sections) => {
    expect(testConfig(sections).config).toBeDefined();
  });
});
