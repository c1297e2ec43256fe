import { describe, expect, test } from 'vitest';
import { loadFrom, loadGood } from '../testing/load-from.ts';
import { testConfig } from '../testing/test-config.ts';
import { explain } from './explain.ts';
import { generateConfig } from './generate-config.ts';
import { configFormats, printConfig } from './print-config.ts';
import { plainValue } from './show-value.ts';

const rich = testConfig({
  http_server: { port: 1, address: '' },
  client: {
    ping_interval: '90s',
    allowed_origins: ['https://a.com', 'https://b.com'],
    token: { hmac_secret_key: 'a "quoted" \\ secret: # 32 bytes, äöü' },
  },
  channel: {
    without_namespace: { history_size: 1, history_ttl: '1500ms' },
    namespaces: [{ name: 'one' }, { name: 'two', presence: true, allowed_delta_types: ['fossil'] }],
  },
  proxies: [
    {
      name: 'hook',
      endpoint: 'http://a',
      http: {
        static_headers: { 'X-Key': 'k' },
        status_to_code_transforms: [{ status_code: 404, to_error: { code: 404 } }],
      },
    },
  ],
});

describe.each(configFormats)('a configuration printed as %s', (format) => {
  test.each([false, true])(
    'is read as the same configuration (only what is set: %o)',
    (onlySet) => {
      const text = printConfig(rich.config, {
        format,
        revealed: true,
        ...(onlySet && { onlySet: rich.sources }),
      });
      const { config, warnings } = loadGood({ files: { [`config.${format}`]: text } });
      expect(plainValue(config, { revealed: true })).toEqual(
        plainValue(rich.config, { revealed: true }),
      );
      expect(warnings.filter(({ message }) => message.includes('no such option'))).toEqual([]);
    },
  );

  test('is short when only what is set is asked for', () => {
    const text = printConfig(testConfig({ http_server: { port: 7 } }).config, {
      format,
      revealed: false,
      onlySet: testConfig({ http_server: { port: 7 } }).sources,
    });
    expect(text.length).toBeLessThan(90);
    expect(text).toContain('7');
  });

  test('can be generated: it works, holds fresh secrets and warns of nothing', () => {
    const [first, second] = [generateConfig(format), generateConfig(format)];
    const { config, warnings } = loadGood({ files: { [`config.${format}`]: first } });
    expect(warnings).toEqual([]);
    const secrets = [
      config.client.token.hmac_secret_key,
      config.http_api.key,
      config.admin.secret,
      config.admin.password,
    ];
    const values = secrets.map((secret) => secret.reveal());
    expect(new Set(values).size).toBe(4);
    for (const value of values) {
      expect(value.length).toBeGreaterThanOrEqual(43);
      expect(second).not.toContain(value);
    }
    expect(config.client.insecure).toBe(false);
    expect(config.channel.namespaces[0]).toMatchObject({ name: 'chat', force_recovery: true });
  });
});

describe('comments of a generated configuration', () => {
  test.each(['yaml', 'toml'] as const)('explain every option: %s', (format) => {
    const lines = generateConfig(format).split('\n');
    const options = lines.flatMap((line, index) =>
      /^\s*[a-z_]+(?: =|:)/.test(line) ? [index] : [],
    );
    expect(options.length).toBeGreaterThan(15);
    for (const index of options) expect(lines[index - 1]).toMatch(/^\s*(?:- )?# \S/);
  });
});

describe('explain', () => {
  const loaded = loadGood({
    files: {
      'config.yaml':
        'channel: { namespaces: [{ name: chat, presence: true }] }\nhttp_api: { key: geheim }',
    },
    environment: { HOLDFAST_CLIENT_PING_INTERVAL: '30s' },
  });

  function textOf(key?: string): string {
    const explanation = explain(loaded, key);
    if ('text' in explanation) return explanation.text;
    throw new Error('unknown key');
  }

  test('tells value, source, default, variable and meaning of an option', () => {
    expect(textOf('client.ping_interval')).toBe(`client.ping_interval
  Time between two pings to a client. \`0\` or \`-1\`: no pings, dead connections are then found late.

  must be:  a duration with its unit, such as "500ms", "25s", "1m30s" or "720h", in whole milliseconds
  default:  25s
  variable: HOLDFAST_CLIENT_PING_INTERVAL
  value:    30s
  from:     environment variable HOLDFAST_CLIENT_PING_INTERVAL`);
  });

  test.each([
    [
      'channel.namespaces[chat].presence',
      ['value:    true', 'from:     file config.yaml', 'HOLDFAST_CHANNEL_NAMESPACES_CHAT_PRESENCE'],
    ],
    [
      'channel.namespaces[].presence',
      ['default:  false', 'HOLDFAST_CHANNEL_NAMESPACES_<NAME>_PRESENCE'],
    ],
    ['channel.namespaces[chat]', ['channel.namespaces[chat].presence = true  (file config.yaml)']],
    ['http_api.key', ['value:    "***"']],
    ['websocket.max_fragments', ['in Centrifugo there is no such option']],
    ['http_server.address', ['in Centrifugo the default is ""']],
    ['engine.type', ['No effect']],
    ['proxies', ['Hooks with names']],
    ['log', ['log.level = "info"  (default)', 'log.file = ""  (default)']],
  ])('%s', (key, parts) => {
    for (const part of parts) expect(textOf(key)).toContain(part);
  });

  test('without a key tells of all options, masked', () => {
    expect(textOf().split('\n').length).toBeGreaterThan(300);
    expect(textOf()).toContain('http_api.key = "***"  (file config.yaml)');
    expect(textOf()).not.toContain('geheim');
  });

  test.each([
    'nothing',
    'client.',
    'client..token',
    'channel.namespaces[chat].nothing',
    'log[0]',
    '__proto__',
    'client!token',
  ])('knows that %s is nothing', (key) => {
    expect(explain(loaded, key)).toEqual({ unknownKey: key });
  });
});

test('Centrifugo configurations of every flavour of value are read', () => {
  const result = loadFrom({
    files: {
      'config.json': JSON.stringify({
        http_server: { port: '8000', internal_port: '9000' },
        client: {
          insecure: 'true',
          allowed_origins: 'https://a.com https://b.com',
          channel_limit: '5',
        },
      }),
    },
  });
  expect(result).toMatchObject({
    config: {
      client: {
        insecure: true,
        channel_limit: 5,
        allowed_origins: ['https://a.com', 'https://b.com'],
      },
    },
  });
});
