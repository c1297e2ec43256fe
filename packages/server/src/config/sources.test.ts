import { describe, expect, test } from 'vitest';
import { loadBad, loadGood } from '../testing/load-from.ts';
import { testConfig } from '../testing/test-config.ts';
import { effectiveOptions } from './effective-options.ts';
import { applyEnvironment, envName } from './env.ts';
import { Layers } from './layers.ts';
import { valueAt, type OptionPath } from './option-path.ts';
import { configTree } from './schema.ts';

/** One element in every list whose elements have names. */
const oneOfEach = {
  channel: { namespaces: [{ name: 'one-ns' }] },
  rpc: { namespaces: [{ name: 'one-ns' }] },
  proxies: [{ name: 'one-ns', endpoint: 'http://127.0.0.1' }],
};

/** An element's name cannot be changed by the variable that it names. */
function isReachable(path: OptionPath): boolean {
  return path.at(-1) !== 'name' || path.length === 2;
}

const port = 'http_server.port';
const file = { 'config.yaml': 'http_server: { port: 1 }' };
const dotenv = { '.env': 'HOLDFAST_HTTP_SERVER_PORT=2' };
const environment = { HOLDFAST_HTTP_SERVER_PORT: '3' };
const flags = [{ flag: '--port', key: port, value: '4' }];

describe('sources', () => {
  test.each([
    [8_000, { source: 'default' }, {}],
    [1, { source: 'file', file: 'config.yaml' }, { files: file }],
    [
      2,
      { source: 'dotenv', file: '.env', variable: 'HOLDFAST_HTTP_SERVER_PORT' },
      { files: { ...file, ...dotenv } },
    ],
    [
      3,
      { source: 'environment', variable: 'HOLDFAST_HTTP_SERVER_PORT' },
      { files: { ...file, ...dotenv }, environment },
    ],
    [4, { source: 'flag', flag: '--port' }, { files: { ...file, ...dotenv }, environment, flags }],
  ])('the last one that sets an option wins: %i', (value, origin, input) => {
    const { config, sources } = loadGood(input);
    expect(config.http_server.port).toBe(value);
    expect(sources.get(port)).toEqual(origin);
  });

  test('win option by option, not section by section', () => {
    const { config, sources } = loadGood({
      files: { 'config.json': '{"client":{"channel_limit":5,"concurrency":2}}' },
      environment: { HOLDFAST_CLIENT_CONCURRENCY: '8' },
    });
    expect(config.client).toMatchObject({
      channel_limit: 5,
      concurrency: 8,
      queue_max_size: 1_048_576,
    });
    expect(sources.get('client.channel_limit')?.source).toBe('file');
    expect(sources.get('client.concurrency')?.source).toBe('environment');
    expect(sources.get('client.queue_max_size')?.source).toBe('default');
  });

  test('name every effective option, those of list elements by their name', () => {
    const { sources } = loadGood({
      files: { 'config.json': '{"channel":{"namespaces":[{"name":"chat","presence":true}]}}' },
    });
    expect(sources.get('channel.namespaces[chat].presence')?.source).toBe('file');
    expect(sources.get('channel.namespaces[chat].join_leave')?.source).toBe('default');
  });
});

const wanted = {
  client: { allowed_origins: ['https://a.com'] },
  channel: { namespaces: [{ name: 'chat', history_ttl: '1m', history_size: 5 }] },
};

describe('files', () => {
  test.each([
    ['config.json', JSON.stringify(wanted)],
    [
      'config.yaml',
      'client:\n  allowed_origins: [https://a.com]\nchannel:\n  namespaces:\n    - name: chat\n      history_ttl: 1m\n      history_size: 5\n',
    ],
    ['config.yml', JSON.stringify(wanted)],
    [
      'config.toml',
      '[client]\nallowed_origins = ["https://a.com"]\n[[channel.namespaces]]\nname = "chat"\nhistory_ttl = "1m"\nhistory_size = 5\n',
    ],
  ])('%s is found in the working directory and read', (name, text) => {
    const { config, warnings } = loadGood({ files: { [name]: `\u{FEFF}${text}` } });
    expect(config.client.allowed_origins).toEqual(['https://a.com']);
    expect(config.channel.namespaces[0]).toMatchObject({ name: 'chat', history_size: 5 });
    expect(config.channel.namespaces[0]?.history_ttl.ms).toBe(60_000);
    expect(warnings).toEqual([]);
  });

  test.each(['config.json', 'config.yaml', 'config.toml'])(
    'an empty %s is a configuration',
    (name) => {
      expect(loadGood({ files: { [name]: '' } }).config.http_server.port).toBe(8_000);
    },
  );

  test('YAML may have merge keys', () => {
    const text =
      'base: &base { history_size: 3, history_ttl: 5s }\nchannel: { without_namespace: { <<: *base } }';
    const { config } = loadGood({ files: { 'config.yaml': text } });
    expect(config.channel.without_namespace.history_size).toBe(3);
  });

  test('that are found beside the first one are named', () => {
    const { config, warnings } = loadGood({
      files: { 'config.json': '{"http_server":{"port":1}}', 'config.toml': 'x' },
    });
    expect(config.http_server.port).toBe(1);
    expect(warnings).toEqual([
      { key: 'config.toml', message: 'Not read, because config.json is there too.' },
    ]);
  });

  test.each([{ configFile: 'mine.yaml' }, { environment: { HOLDFAST_CONFIG: 'mine.yaml' } }])(
    'that are named are read instead: %o',
    (input) => {
      const { config } = loadGood({
        ...input,
        files: { 'mine.yaml': 'http_server: { port: 7 }', 'config.json': '{' },
      });
      expect(config.http_server.port).toBe(7);
    },
  );

  test('that are named must exist', () => {
    expect(loadBad({ configFile: 'nowhere.yaml' }).errors).toMatchObject([
      { key: 'nowhere.yaml', problem: 'does not exist' },
    ]);
  });

  test.each([
    ['config.json', '{"a": "geheim" "b"}', 'line 1, column'],
    ['config.json', '{"a": "geheim",}', 'trailing comma'],
    ['config.json', '{\n"a": geheim\n}', 'missing quote'],
    ['config.json', "{'a': 'geheim'}", 'quote'],
    ['config.json', '"geheim"', 'single value'],
    ['config.json', '["geheim"]', 'list'],
    ['config.yaml', 'a: geheim\n\tb: 1', 'line 2'],
    ['config.yaml', 'a: *geheim', 'alias'],
    ['config.yaml', 'a: geheim\na: 2', 'duplicate key'],
    ['config.yaml', '"geheim', 'line'],
    ['config.toml', 'a = geheim', 'line 1'],
    ['config.toml', 'a = "geheim', 'line 1'],
    ['config.ini', 'a=geheim', 'ending'],
  ])('%s with %o is refused without quoting it', (name, text, word) => {
    const { errors } = loadBad({ configFile: name, files: { [name]: text } });
    expect(errors).toHaveLength(1);
    expect(JSON.stringify(errors)).toContain(word);
    expect(JSON.stringify(errors)).not.toContain('geheim');
  });

  test('cannot reach what objects inherit', () => {
    const text =
      '{"__proto__":{"polluted":1},"client":{"__proto__":{"insecure":true},"constructor":1}}';
    const { config, warnings } = loadGood({ files: { 'config.json': text } });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(config.client.insecure).toBe(false);
    expect(warnings.map(({ key }) => key)).toEqual([
      '__proto__',
      'client.__proto__',
      'client.constructor',
    ]);
  });
});

describe('environment variables', () => {
  test.each([
    ['HOLDFAST_CLIENT_INSECURE=true', 'client.insecure', true],
    ['HOLDFAST_CLIENT_INSECURE=0', 'client.insecure', false],
    ['HOLDFAST_CLIENT_PING_INTERVAL=60s', 'client.ping_interval', '1m'],
    [
      'HOLDFAST_CLIENT_ALLOWED_ORIGINS=https://a.com  https://b.com',
      'client.allowed_origins',
      ['https://a.com', 'https://b.com'],
    ],
    [
      'HOLDFAST_CLIENT_ALLOWED_ORIGINS=["https://a.com"]',
      'client.allowed_origins',
      ['https://a.com'],
    ],
    ['HOLDFAST_NODE_NAME=42', 'node.name', '42'],
    ['HOLDFAST_CLIENT_TOKEN_AUDIENCE=true', 'client.token.audience', 'true'],
    ['CENTRIFUGO_HTTP_SERVER_PORT=9', 'http_server.port', 9],
  ])('%s sets %s', (assignment, key, value) => {
    const [variable = '', text = ''] = assignment.split('=', 2);
    const { config } = loadGood({ environment: { [variable]: text } });
    const option = effectiveOptions(config).find((candidate) => candidate.key === key);
    expect(JSON.parse(JSON.stringify(option?.value))).toEqual(value);
  });

  const options = effectiveOptions(testConfig(oneOfEach).config);

  test.each(options.filter(({ path }) => isReachable(path)))(
    'set $key by the variable of its name',
    ({ path }) => {
      const layers = new Layers(configTree);
      layers.apply(oneOfEach, { source: 'file', file: 'f' });
      const variable = envName(path, ['one-ns']);
      const origin = { source: 'environment', variable } as const;
      const warnings = applyEnvironment(
        { [variable]: 'given' },
        { layers, tree: configTree, origin: () => origin },
      );
      expect(warnings).toEqual([]);
      expect(layers.originOf(path)).toEqual(origin);
      expect(valueAt(layers.raw, path)).toEqual('given');
    },
  );

  test('set lists in JSON and options of their elements by name', () => {
    const { config, sources } = loadGood({
      environment: {
        HOLDFAST_CHANNEL_NAMESPACES: '[{"name":"chat.room-1","presence":true},{"name":"feed"}]',
        HOLDFAST_CHANNEL_NAMESPACES_CHAT_ROOM_1_HISTORY_SIZE: '5',
        HOLDFAST_CHANNEL_NAMESPACES_CHAT_ROOM_1_HISTORY_TTL: '5s',
        HOLDFAST_CHANNEL_NAMESPACES_CHAT_ROOM_1_MAP_KEY_TTL: '9s',
        HOLDFAST_PROXIES: '[{"name":"hook","endpoint":"http://a"}]',
        HOLDFAST_PROXIES_HOOK_HTTP_STATIC_HEADERS: '{"X-Key":"1"}',
      },
    });
    const [chat, feed] = config.channel.namespaces;
    expect(chat).toMatchObject({ presence: true, history_size: 5 });
    expect(chat?.map.key_ttl.ms).toBe(9_000);
    expect(feed).toMatchObject({ presence: false, history_size: 0 });
    expect(config.proxies[0]?.http.static_headers['X-Key']?.reveal()).toBe('1');
    expect(sources.get('channel.namespaces[chat.room-1].history_size')).toEqual({
      source: 'environment',
      variable: 'HOLDFAST_CHANNEL_NAMESPACES_CHAT_ROOM_1_HISTORY_SIZE',
    });
  });

  test('reach namespaces of the file', () => {
    const { config } = loadGood({
      files: { 'config.json': '{"channel":{"namespaces":[{"name":"chat"}]}}' },
      environment: { CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_PRESENCE: 'true' },
    });
    expect(config.channel.namespaces[0]?.presence).toBe(true);
  });

  test("with our prefix win over those with Centrifugo's, which are named", () => {
    const { config, warnings } = loadGood({
      environment: {
        HOLDFAST_CLIENT_CHANNEL_LIMIT: '1',
        CENTRIFUGO_CLIENT_CHANNEL_LIMIT: '2',
        CENTRIFUGO_CLIENT_CONCURRENCY: '3',
      },
    });
    expect(config.client).toMatchObject({ channel_limit: 1, concurrency: 3 });
    expect(warnings).toMatchObject([
      { key: 'CENTRIFUGO_*', message: expect.stringContaining('CENTRIFUGO_CLIENT_CHANNEL_LIMIT') },
    ]);
  });

  test('that mean nothing are warned about, with a guess', () => {
    const { warnings } = loadGood({
      environment: { HOLDFAST_CLIENT_CHANEL_LIMIT: '1', HOLDFAST_WHATEVER: '2', OTHER: '3' },
    });
    expect(warnings.map(({ key, message }) => `${key}: ${message}`)).toEqual([
      'HOLDFAST_CLIENT_CHANEL_LIMIT: There is no option for this variable; it has no effect. Did you mean HOLDFAST_CLIENT_CHANNEL_LIMIT?',
      'HOLDFAST_WHATEVER: There is no option for this variable; it has no effect.',
    ]);
  });

  test("that are empty, or Kubernetes's, or for headers, are left alone", () => {
    const { config, warnings } = loadGood({
      environment: {
        HOLDFAST_HTTP_SERVER_PORT: 'tcp://10.0.0.1:8000',
        HOLDFAST_PORT_8000_TCP_ADDR: '10.0.0.1',
        HOLDFAST_SERVICE_HOST: '10.0.0.1',
        HOLDFAST_CLIENT_PING_INTERVAL: '',
        HOLDFAST_VAR_KEY: 'x',
        HOLDFAST_CONFIG: '',
      },
    });
    expect(config.http_server.port).toBe(8_000);
    expect(warnings).toEqual([]);
  });

  test('hold values that are checked as those of files are', () => {
    expect(loadBad({ environment: { HOLDFAST_HTTP_SERVER_PORT: 'http' } }).errors).toMatchObject([
      {
        key: 'http_server.port',
        problem: 'is "http"',
        origin: { source: 'environment', variable: 'HOLDFAST_HTTP_SERVER_PORT' },
      },
    ]);
    expect(loadBad({ environment: { HOLDFAST_PROXIES: 'x' } }).errors).toMatchObject([
      { key: 'proxies', reason: expect.stringContaining('JSON') },
    ]);
  });

  test('.env may quote and comment', () => {
    const { config } = loadGood({
      files: { '.env': '# comment\nexport HOLDFAST_NODE_NAME="a b" # name\nOTHER=1\n' },
    });
    expect(config.node.name).toBe('a b');
  });

  test('are put into the headers of hooks', () => {
    const files = {
      'config.json': JSON.stringify({
        proxies: [
          {
            name: 'hook',
            endpoint: 'http://a',
            http: {
              static_headers: {
                Authorization: 'Bearer ${HOLDFAST_VAR_KEY}',
                'X-Old': '${CENTRIFUGO_VAR_KEY}',
              },
            },
          },
        ],
      }),
    };
    const { config } = loadGood({
      files,
      environment: { HOLDFAST_VAR_KEY: 'k1', CENTRIFUGO_VAR_KEY: 'k2' },
    });
    const headers = config.proxies[0]?.http.static_headers;
    expect(headers?.Authorization?.reveal()).toBe('Bearer k1');
    expect(headers?.['X-Old']?.reveal()).toBe('k2');
    expect(loadBad({ files, environment: { HOLDFAST_VAR_KEY: 'k1' } }).errors).toMatchObject([
      { key: 'proxies[hook].http.static_headers', problem: 'refers to ${CENTRIFUGO_VAR_KEY}' },
    ]);
  });
});

describe('flags', () => {
  test('set any option, and options of named elements', () => {
    const { config } = loadGood({
      files: { 'config.json': '{"channel":{"namespaces":[{"name":"chat"}]}}' },
      flags: [
        { flag: '--set', key: 'client.ping_interval', value: '30s' },
        { flag: '--set', key: 'channel.namespaces[chat].presence', value: 'true' },
        { flag: '--set', key: 'rpc.namespaces', value: '[{"name":"billing"}]' },
      ],
    });
    expect(config.client.ping_interval.ms).toBe(30_000);
    expect(config.channel.namespaces[0]?.presence).toBe(true);
    expect(config.rpc.namespaces[0]?.name).toBe('billing');
  });

  test.each([
    ['client.ping_intervall', 'Did you mean client.ping_interval?'],
    ['channel.namespaces[nobody].presence', 'must be there already'],
    ['channel.namespaces[0]', 'must be there already'],
    ['', 'config explain'],
    ['constructor', 'config explain'],
  ])('for %o are refused: unlike a file, they were typed for this start', (key, hint) => {
    const { errors } = loadBad({ flags: [{ flag: '--set', key, value: '1' }] });
    expect(errors).toMatchObject([{ key, problem: 'is not an option' }]);
    expect(errors[0]?.remedy).toContain(hint);
  });
});
