import { describe, expect, test } from 'vitest';
import { testConfig } from '../testing/test-config.ts';
import { liveChange } from './live-change.ts';

const secret = 'a secret of more than thirty-two bytes';

/** What becomes of one configuration when another comes. */
function change(before: object, after: object) {
  return liveChange(testConfig(before).config, testConfig(after).config);
}

const channel = (...namespaces: readonly object[]) => ({ channel: { namespaces } });

describe('a new configuration', () => {
  test('that is the same changes nothing, secrets included', () => {
    const given = { ...channel({ name: 'chat' }), client: { token: { hmac_secret_key: secret } } };
    const { taken, waiting } = change(given, structuredClone(given));
    expect([taken, waiting]).toEqual([[], []]);
  });

  test.each([
    ['log.level', { log: { level: 'debug' } }],
    ['http_server.tls.cert_pem', { http_server: { tls: { cert_pem: 'other.pem' } } }],
    ['client.allowed_origins', { client: { allowed_origins: ['https://a.example'] } }],
    ['client.connection_limit', { client: { connection_limit: 7 } }],
    ['client.connection_rate_limit', { client: { connection_rate_limit: 7 } }],
    ['client.user_connection_limit', { client: { user_connection_limit: 7 } }],
    [
      'channel.without_namespace.allow_subscribe_for_client',
      { channel: { without_namespace: { allow_subscribe_for_client: true } } },
    ],
  ])('takes over %s', (key, after) => {
    const { config, taken, waiting } = change({}, after);
    expect([taken, waiting]).toEqual([[key], []]);
    expect(config).toEqual(testConfig(after).config);
  });

  test.each([
    ['http_server.port', { http_server: { port: 81 } }],
    ['http_api.key', { http_api: { key: 'another key' } }],
    ['client.ping_interval', { client: { ping_interval: '20s' } }],
    ['channel.max_length', { channel: { max_length: 100 } }],
    [
      'channel.without_namespace.history_durable',
      {
        channel: {
          without_namespace: { history_size: 1, history_ttl: '1s', history_durable: true },
        },
      },
    ],
  ])('leaves %s to a restart', (key, after) => {
    const store = { enabled: true };
    const before = testConfig({ store }).config;
    const next = testConfig({ store, ...after }).config;
    const { config, taken, waiting } = liveChange(before, next);
    expect(taken).toEqual([]);
    expect(waiting).toContain(key);
    expect(config).toEqual(before);
  });

  test('brings, changes and removes namespaces', () => {
    const before = channel({ name: 'old' }, { name: 'chat' });
    const after = channel(
      { name: 'chat', presence: true },
      { name: 'board', subscription_type: 'map', map: { mode: 'persistent' } },
    );
    const { config, taken, waiting } = change(before, after);
    expect(waiting).toEqual([]);
    expect(taken).toEqual(
      expect.arrayContaining([
        'channel.namespaces[old].name',
        'channel.namespaces[chat].presence',
        'channel.namespaces[board].subscription_type',
      ]),
    );
    expect(config.channel.namespaces.map(({ name }) => name)).toEqual(['chat', 'board']);
  });

  test('leaves a namespace as it is whose kind changes, with all its options', () => {
    const before = channel({ name: 'chat' }, { name: 'news' });
    const after = channel(
      { name: 'chat', presence: true, subscription_type: 'map', map: { mode: 'persistent' } },
      { name: 'news', presence: true },
    );
    const { config, taken, waiting } = change(before, after);
    expect(taken).toEqual(['channel.namespaces[news].presence']);
    expect(waiting).toEqual([
      'channel.namespaces[chat].presence',
      'channel.namespaces[chat].subscription_type',
      'channel.namespaces[chat].map.mode',
    ]);
    const presences = config.channel.namespaces.map(({ name, presence }) => [name, presence]);
    expect(presences).toEqual([
      ['news', true],
      ['chat', false],
    ]);
  });

  test('brings other keys of tokens, but not the first ones or none', () => {
    const keyed = (key: string) => ({ client: { token: { hmac_secret_key: key } } });
    const rotated = change(keyed(secret), keyed(`${secret} and more`));
    expect([rotated.taken, rotated.waiting]).toEqual([['client.token.hmac_secret_key'], []]);
    expect(rotated.config.client.token.hmac_secret_key.reveal()).toBe(`${secret} and more`);
    const separate = {
      client: {
        token: { hmac_secret_key: secret },
        subscription_token: { enabled: true, hmac_secret_key: secret },
      },
    };
    const begun = change(keyed(secret), separate);
    expect(begun.taken).toEqual([]);
    expect(begun.waiting).toEqual([
      'client.subscription_token.enabled',
      'client.subscription_token.hmac_secret_key',
    ]);
  });

  test('changes nothing where what could be taken over does not fit what stays', () => {
    const personal = (namespace: string) => ({
      ...channel({ name: namespace }),
      client: {
        subscribe_to_user_personal_channel: {
          enabled: true,
          personal_channel_namespace: namespace,
        },
      },
    });
    const { config, taken, waiting } = change(personal('mine'), personal('yours'));
    expect(taken).toEqual([]);
    expect(waiting).toContain('channel.namespaces[yours].name');
    expect(config.channel.namespaces.map(({ name }) => name)).toEqual(['mine']);
  });
});
