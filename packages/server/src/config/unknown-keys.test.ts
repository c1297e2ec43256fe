import { describe, expect, test } from 'vitest';
import { testConfig } from '../testing/test-config.ts';

function warningsOf(sections: object): readonly string[] {
  return testConfig(sections).warnings.map(({ key, message }) => `${key}: ${message}`);
}

describe('keys that do not exist', () => {
  test.each([
    [{ clientt: {} }, 'clientt: There is no such option; it has no effect. Did you mean client?'],
    [
      { client: { ping_intervall: '5s' } },
      'client.ping_intervall: There is no such option; it has no effect. Did you mean ping_interval?',
    ],
    [
      { allow_anonymous_connect_without_token: true },
      'allow_anonymous_connect_without_token: There is no such option; it has no effect. Did you mean client.allow_anonymous_connect_without_token?',
    ],
    [
      { channel: { namespaces: [{ name: 'chat', presense: true }] } },
      'channel.namespaces[chat].presense: There is no such option; it has no effect. Did you mean presence?',
    ],
    [
      { channel: { namespaces: [{ name: 'chat', client_publish_debounce_interval: '5ms' }] } },
      'channel.namespaces[chat].client_publish_debounce_interval: There is no such option; it has no effect.',
    ],
    [{ xyzzy: 1 }, 'xyzzy: There is no such option; it has no effect.'],
  ])('%o', (sections, warning) => {
    expect(warningsOf(sections)).toEqual([warning]);
  });

  test('are cut when they are long', () => {
    const [warning] = warningsOf({ ['x'.repeat(10_000)]: 1 });
    expect(warning?.length).toBeLessThan(300);
  });
});

describe("Centrifugo's options that do nothing here", () => {
  test.each([
    ['grpc_api', { grpc_api: { enabled: true } }, 'gRPC'],
    ['consumers', { consumers: [{ name: 'kafka' }] }, 'queues'],
    ['usage_stats', { usage_stats: { disabled: true } }, 'no usage statistics'],
    ['websocket.read_buffer_size', { websocket: { read_buffer_size: 1 } }, 'tuned by the program'],
    [
      'client.proxy.connect.grpc',
      { client: { proxy: { connect: { grpc: { compression: true } } } } },
      'gRPC',
    ],
    [
      'proxies[hook].grpc_metadata',
      { proxies: [{ name: 'hook', endpoint: 'http://a', grpc_metadata: ['a'] }] },
      'gRPC',
    ],
    [
      'http_server.tls_autocert.email',
      { http_server: { tls_autocert: { email: 'a@b' } } },
      'certificates',
    ],
    ['engine.redis', { engine: { redis: { address: 'x' } } }, 'one process'],
  ])('%s is warned about, with the reason', (key, sections, word) => {
    const [warning, ...others] = warningsOf(sections);
    expect(others).toEqual([]);
    expect(warning?.startsWith(`${key}: This option has no effect: `)).toBe(true);
    expect(warning).toContain(word);
  });

  test('options whose feature is to come are named together, once for each reason', () => {
    const warnings = warningsOf({
      engine: { type: 'redis' },
      uni_websocket: { compression: true, max_fragments: 3 },
    });
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('uni_websocket.compression');
    expect(warnings[0]).toContain('uni_websocket.max_fragments');
    expect(warnings[1]).toContain('engine.type');
  });

  test('an option that has its default anyway is not worth a warning', () => {
    expect(warningsOf({ engine: { type: 'memory' }, map_broker: {} })).toEqual([]);
  });
});

describe('settings that open the server', () => {
  test.each([
    ['client.insecure', { client: { insecure: true } }],
    ['http_api.insecure', { http_api: { insecure: true } }],
    ['admin.insecure', { admin: { enabled: true, insecure: true } }],
    ['client.allowed_origins', { client: { allowed_origins: ['*'] } }],
  ])('%s is warned about', (key, sections) => {
    expect(testConfig(sections).warnings.map((warning) => warning.key)).toEqual([key]);
  });
});
