import { describe, expect, test } from 'vitest';
import { loadBad, loadFrom, loadGood, type TestInput } from '../testing/load-from.ts';
import type { GeneratedSecrets } from './generated-secrets.ts';

const secrets: GeneratedSecrets = {
  file: '/srv/data/secrets.json',
  tokenHmacSecretKey: 'generated-token-secret-of-32-bytes',
  apiKey: 'generated-api-key',
  adminSecret: 'generated-admin-secret',
};

/** Loads, and says which data folder was asked for secrets. */
function load(input: TestInput) {
  const asked: string[] = [];
  const loaded = loadGood({
    readSecrets(dataDir) {
      asked.push(dataDir);
      return secrets;
    },
    ...input,
  });
  return { ...loaded, asked };
}

function file(sections: object): TestInput {
  return { files: { 'config.json': JSON.stringify(sections) } };
}

describe('a start without any configuration', () => {
  test('is safe and useful', () => {
    const { config, sources, asked, warnings } = load({});
    expect(config.http_server).toMatchObject({ address: 'localhost', port: 8_000 });
    expect(config.client).toMatchObject({
      insecure: false,
      allow_anonymous_connect_without_token: false,
      allowed_origins: [],
    });
    expect(config.http_api.insecure).toBe(false);
    expect(config.admin).toMatchObject({ enabled: true, insecure: false });
    expect(config.channel.without_namespace).toMatchObject({
      history_size: 100,
      force_recovery: true,
      presence: true,
      allow_subscribe_for_client: true,
      allow_subscribe_for_anonymous: false,
      allow_publish_for_anonymous: false,
    });
    expect(config.store.enabled).toBe(true);
    expect(config.tasks.kinds).toMatchObject([{ name: 'example' }]);
    expect(config.client.token.hmac_secret_key.reveal()).toBe(secrets.tokenHmacSecretKey);
    expect(config.http_api.key.reveal()).toBe(secrets.apiKey);
    expect(config.admin.secret.reveal()).toBe(secrets.adminSecret);
    expect(asked).toEqual(['/srv/data']);
    expect(warnings).toEqual([]);
    expect(sources.get('channel.without_namespace.presence')).toEqual({ source: 'first start' });
    expect(sources.get('http_api.key')).toEqual({ source: 'generated', file: secrets.file });
  });

  test.each<TestInput>([
    { flags: [{ flag: '--port', key: 'http_server.port', value: '0' }] },
    { flags: [{ flag: '--address', key: 'http_server.address', value: '127.0.0.1' }] },
    { environment: { HOLDFAST_DATA_DIR: '/var/holdfast', HOLDFAST_LOG_LEVEL: 'debug' } },
    {
      environment: {
        HOLDFAST_NODE_NAME: 'a',
        HOLDFAST_SHUTDOWN_TIMEOUT: '5s',
        HOLDFAST_PID_FILE: 'p',
      },
    },
  ])('is still one when only where and how it runs is set: %o', (input) => {
    expect(load(input).config.channel.without_namespace.presence).toBe(true);
  });

  test.each<TestInput>([
    file({}),
    { environment: { HOLDFAST_CLIENT_CHANNEL_LIMIT: '5' } },
    { environment: { HOLDFAST_HTTP_API_KEY: 'k' } },
    { files: { '.env': 'HOLDFAST_CHANNEL_NAMESPACES=[]' } },
    { flags: [{ flag: '--admin', key: 'admin.enabled', value: 'true' }] },
    { flags: [{ flag: '--address', key: 'http_server.address', value: '0.0.0.0' }] },
    { flags: [{ flag: '--address', key: 'http_server.address', value: '' }] },
    { flags: [{ flag: '--address', key: 'http_server.address', value: '192.168.1.1' }] },
  ])('is none with %o', (input) => {
    const { config, sources } = load(input);
    expect(config.channel.without_namespace.presence).toBe(false);
    expect([...sources.values()].some(({ source }) => source === 'first start')).toBe(false);
  });
});

describe('generated secrets', () => {
  test('stand where nothing is configured; what is configured wins', () => {
    const { config, sources } = load(file({ http_api: { key: 'mine' }, admin: { enabled: true } }));
    expect(config.http_api.key.reveal()).toBe('mine');
    expect(config.client.token.hmac_secret_key.reveal()).toBe(secrets.tokenHmacSecretKey);
    expect(config.admin.secret.reveal()).toBe(secrets.adminSecret);
    expect(sources.get('http_api.key')?.source).toBe('file');
  });

  test.each([
    { client: { token: { hmac_secret_key: 'h'.repeat(32) } } },
    { client: { token: { jwks_public_endpoint: 'https://a.com/keys' } } },
    { client: { allow_anonymous_connect_without_token: true } },
    { client: { insecure: true } },
    { client: { user_id_http_header: 'X-User' } },
    { client: { proxy: { connect: { enabled: true, endpoint: 'http://a' } } } },
  ])('open no second way to sign in beside %o', (sections) => {
    const { config } = load(file(sections));
    expect(config.client.token.hmac_secret_key.reveal()).not.toBe(secrets.tokenHmacSecretKey);
    expect(config.http_api.key.reveal()).toBe(secrets.apiKey);
  });

  test.each([
    { http_api: { key: 'mine' } },
    { http_api: { insecure: true } },
    { http_api: { disabled: true } },
  ])('need no data folder when everything is configured: %o', (sections) => {
    const { asked } = load(
      file({ client: { token: { hmac_secret_key: 'h'.repeat(32) } }, ...sections }),
    );
    expect(asked).toEqual([]);
  });

  test('come from the data folder that is configured', () => {
    expect(load(file({ data_dir: '/srv/secrets' })).asked).toEqual(['/srv/secrets']);
    expect(load({ environment: { HOLDFAST_DATA_DIR: 'here' } }).asked).toEqual(['/srv/here']);
  });

  test('are not asked for when the configuration is refused', () => {
    const asked: string[] = [];
    loadBad({
      ...file({ http_server: { port: -1 } }),
      readSecrets(dataDir) {
        asked.push(dataDir);
        return secrets;
      },
    });
    expect(asked).toEqual([]);
  });

  test('may be missing when nothing is started', () => {
    const loaded = loadFrom({ ...file({}), readSecrets: () => undefined });
    expect('config' in loaded && loaded.config.http_api.key.isEmpty).toBe(true);
  });
});
