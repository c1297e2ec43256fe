import {
  type ConnectingEvent,
  type Connection,
  defaultChannelOptions,
  type Hub,
  type HubHandlers,
  type HubQuestions,
  type Logger,
  type TransportInfo,
} from '@holdfast/hub';
import { Disconnect, ReplyError, replyErrors } from '@holdfast/protocol';
import { describe, expect, test } from 'vitest';
import { installHooks } from './install-hooks.ts';
import type { HookProxyOptions, HooksOptions } from './options.ts';
import { HookBackend, type HookResponder } from './testing/hook-backend.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined) =>
  data === undefined ? undefined : new TextDecoder().decode(data);

/** Takes the handlers as the hub does, and lets a test ask them. */
class HandlerTable implements Pick<Hub, 'on'> {
  readonly handlers = new Map<string, unknown>();

  on<Name extends keyof HubHandlers>(name: Name, handler: HubHandlers[Name]): () => void {
    this.handlers.set(name, handler);
    return () => this.handlers.delete(name);
  }

  async ask<Name extends keyof HubQuestions>(
    name: Name,
    event: Parameters<HubQuestions[Name]>[0],
  ): Promise<Awaited<ReturnType<HubHandlers[Name]>>> {
    type Reply = Awaited<ReturnType<HubHandlers[Name]>>;
    const handler = this.handlers.get(name) as ((event: unknown) => Promise<Reply>) | undefined;
    if (handler === undefined) throw new Error(`no handler for ${name}`);
    return handler(event);
  }
}

function makeHooks(options: HooksOptions) {
  const hub = new HandlerTable();
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: { ...fields }, message });
  const logger: Logger = {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
  };
  const hooks = installHooks(hub, options, { logger });
  return { hub, hooks, lines, [Symbol.dispose]: () => hooks.close() };
}

const transport: TransportInfo = {
  name: 'websocket',
  format: 'json',
  unidirectional: false,
  remoteAddress: '127.0.0.1',
  headers: { cookie: 'session=secret', 'x-request-id': '7', host: 'app.example.com' },
};

const { signal } = new AbortController();

const connecting: ConnectingEvent = {
  client: 'c1',
  transport,
  token: '',
  name: '',
  version: '',
  emulatedHeaders: { Authorization: 'Bearer t' },
  channels: [],
  signal,
};

const connection: Connection = {
  client: 'c1',
  user: '56',
  transport,
  meta: bytes('{"role":12345678901234567890}'),
  connectedAt: 0,
  name: '',
  version: '',
  emulatedHeaders: {},
};

const channel = {
  connection,
  channel: 'chat:index',
  namespace: 'chat',
  options: defaultChannelOptions,
  signal,
};

const common = {
  client: 'c1',
  transport: 'websocket',
  protocol: 'json',
  encoding: 'json',
};

/** The options under which every hook is answered by one endpoint. */
function allHooks(proxy: HookProxyOptions): HooksOptions {
  const chat = {
    name: 'chat',
    subscribeProxyEnabled: true,
    publishProxyEnabled: true,
    subRefreshProxyEnabled: true,
  };
  return {
    connect: proxy,
    refresh: proxy,
    subscribe: proxy,
    publish: proxy,
    subRefresh: proxy,
    rpc: proxy,
    namespaces: [chat],
    rpcWithoutNamespace: { proxyEnabled: true },
  };
}

const questions = {
  connect: (hub: HandlerTable) => hub.ask('connecting', connecting),
  refresh: (hub: HandlerTable) => hub.ask('refreshing', { connection, signal }),
  subscribe: (hub: HandlerTable) => hub.ask('subscribing', { ...channel, token: '' }),
  publish: (hub: HandlerTable) => hub.ask('publishing', { ...channel, data: bytes('{}') }),
  sub_refresh: (hub: HandlerTable) => hub.ask('subRefreshing', channel),
  rpc: (hub: HandlerTable) => hub.ask('rpc', { connection, method: 'echo', signal }),
};
type Question = keyof typeof questions;
const all = Object.keys(questions) as Question[];
const refreshes: Question[] = ['refresh', 'sub_refresh'];
const commands = all.filter((name) => !refreshes.includes(name));

async function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no refusal',
    (error: unknown) => error,
  );
}

describe('connect', () => {
  test('sends what is known and takes all that can be said', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.end(`{"result":{
        "user":"56","expire_at":1900000000,"info":{"id":12345678901234567890},
        "data":[1.0],"meta":{"tenant":1},"channels":["a","news:x"],
        "subs":{"news:x":{"data":{"n":1e400},"b64info":"AP8=",
          "override":{"presence":{"value":true},"join_leave":{"value":false},"force_recovery":{}}},
          "__proto__":{}}}}`);
    });
    using setup = makeHooks({ connect: { endpoint: backend.url('/connect?key=1') } });
    const credentials = await setup.hub.ask('connecting', {
      ...connecting,
      data: bytes('{"big":12345678901234567890,"again":1,"again":2}'),
      name: 'js',
      version: '5.8',
      channels: ['a'],
    });
    expect(backend.received[0]?.path).toBe('/connect?key=1');
    expect(backend.received[0]?.text).toBe(
      '{"client":"c1","transport":"websocket","protocol":"json","encoding":"json",' +
        '"data":{"big":12345678901234567890,"again":1,"again":2},"name":"js","version":"5.8","channels":["a"]}',
    );
    expect(credentials).toMatchObject({ user: '56', expireAt: 1_900_000_000 });
    expect(credentials?.serverSideRefresh).toBeUndefined();
    expect(text(credentials?.info)).toBe('{"id":12345678901234567890}');
    expect(text(credentials?.data)).toBe('[1.0]');
    expect(text(credentials?.meta)).toBe('{"tenant":1}');
    const subs = credentials?.subs ?? {};
    expect(Object.keys(subs)).toEqual(['a', 'news:x', '__proto__']);
    expect(subs.a).toEqual({});
    expect(text(subs['news:x']?.data)).toBe('{"n":1e400}');
    expect([...(subs['news:x']?.info ?? [])]).toEqual([0x00, 0xff]);
    expect(subs['news:x']?.overrides).toEqual({
      presence: true,
      joinLeave: false,
      forceRecovery: false,
    });
  });

  test('an empty result is the anonymous user; nothing optional is sent or made up', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks({ connect: { endpoint: backend.url() } });
    expect(await setup.hub.ask('connecting', connecting)).toEqual({ user: '' });
    expect(backend.received[0]?.body).toEqual(common);
  });

  test('clients with a token are not asked about', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks({ connect: { endpoint: backend.url() } });
    expect(await setup.hub.ask('connecting', { ...connecting, token: 'x.y.z' })).toBeUndefined();
    expect(backend.received).toEqual([]);
  });

  test('with a refresh hook the server refreshes', async () => {
    await using backend = await HookBackend.start(() => ({ result: { user: '1', expire_at: 9 } }));
    const proxy = { endpoint: backend.url() };
    using setup = makeHooks({ connect: proxy, refresh: proxy });
    expect(await setup.hub.ask('connecting', connecting)).toEqual({
      user: '1',
      expireAt: 9,
      serverSideRefresh: true,
    });
  });
});

describe('refresh', () => {
  test('asks about the connection and takes the new expiry', async () => {
    await using backend = await HookBackend.start(() => ({
      result: { expire_at: 1_900_000_000, info: { a: 1 }, meta: { b: 2 } },
    }));
    using setup = makeHooks({ refresh: { endpoint: backend.url(), includeConnectionMeta: true } });
    const answer = await setup.hub.ask('refreshing', { connection, signal });
    expect(backend.received[0]?.text).toBe(
      '{"client":"c1","transport":"websocket","protocol":"json","encoding":"json","user":"56",' +
        '"meta":{"role":12345678901234567890}}',
    );
    expect(answer?.expireAt).toBe(1_900_000_000);
    expect(text(answer?.info)).toBe('{"a":1}');
    expect(text(answer?.meta)).toBe('{"b":2}');
  });

  test.each(refreshes)('%s: expired, or refused with an error, means expired', async (name) => {
    await using backend = await HookBackend.start(() => ({ result: { expired: true } }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    expect(await questions[name](setup.hub)).toEqual({ expired: true });
    backend.respond = () => ({ error: { code: 403, message: 'no' } });
    expect(await questions[name](setup.hub)).toEqual({ expired: true });
  });

  test.each(refreshes)(
    '%s: a backend in trouble is error 100, on which the hub waits',
    async (name) => {
      await using backend = await HookBackend.start((_hook, response) => {
        response.writeHead(500).end();
      });
      using setup = makeHooks(allHooks({ endpoint: backend.url() }));
      await expect(questions[name](setup.hub)).rejects.toBe(replyErrors.internal);
      expect(setup.lines[0]?.message).toContain('are kept for another minute');
    },
  );
});

describe('subscribe', () => {
  test('sends channel and data, takes the grant', async () => {
    await using backend = await HookBackend.start(() => ({
      result: {
        expire_at: 9,
        info: { a: 1 },
        b64data: 'AAE=',
        override: { force_positioning: { value: true } },
      },
    }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const grant = await setup.hub.ask('subscribing', {
      ...channel,
      token: '',
      data: bytes('{"x":1.00}'),
    });
    expect(backend.received[0]?.text).toBe(
      '{"client":"c1","transport":"websocket","protocol":"json","encoding":"json","user":"56",' +
        '"channel":"chat:index","data":{"x":1.00}}',
    );
    expect(grant).toMatchObject({
      expireAt: 9,
      overrides: { forcePositioning: true },
      serverSideRefresh: true,
    });
    expect(text(grant?.info)).toBe('{"a":1}');
    expect([...(grant?.data ?? [])]).toEqual([0, 1]);
  });

  test('only for namespaces that want it, and only without a token', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const other = { ...channel, channel: 'x', namespace: '' };
    expect(await setup.hub.ask('subscribing', { ...other, token: '' })).toBeUndefined();
    expect(await setup.hub.ask('subscribing', { ...channel, token: 'x.y.z' })).toBeUndefined();
    const hidden = { ...channel, channel: '$chat:1', token: '' };
    expect(await setup.hub.ask('subscribing', hidden)).toBeUndefined();
    expect(await setup.hub.ask('publishing', { ...other, data: bytes('1') })).toBeUndefined();
    expect(await setup.hub.ask('subRefreshing', other)).toBeUndefined();
    expect(backend.received).toEqual([]);
  });
});

describe('publish', () => {
  test('sends the data, takes what is to be published', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.end(`{"result":{"data":{"n":12345678901234567890},"skip_history":true,
        "tags":{"a":"b"},"idempotency_key":"k","delta":true,"version":7,"version_epoch":"e"}}`);
    });
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const grant = await setup.hub.ask('publishing', { ...channel, data: bytes('"hi"') });
    expect(backend.received[0]?.body).toEqual({
      ...common,
      user: '56',
      channel: 'chat:index',
      data: 'hi',
    });
    expect(text(grant?.data)).toBe('{"n":12345678901234567890}');
    expect(grant).toMatchObject({
      skipHistory: true,
      tags: { a: 'b' },
      idempotencyKey: 'k',
      delta: true,
      version: 7,
      versionEpoch: 'e',
    });
  });

  test('an empty result publishes what the client sent', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    expect(await questions.publish(setup.hub)).toEqual({});
  });
});

describe('rpc', () => {
  test('sends method and data, answers with data', async () => {
    await using backend = await HookBackend.start(() => ({ result: { data: null } }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const answer = await setup.hub.ask('rpc', {
      connection,
      method: 'sum',
      data: bytes('[1,2]'),
      signal,
    });
    expect(backend.received[0]?.body).toEqual({
      ...common,
      user: '56',
      method: 'sum',
      data: [1, 2],
    });
    expect(text(answer?.data)).toBe('null');
  });

  test('namespaces of methods: their own endpoint, none, or unknown', async () => {
    await using backend = await HookBackend.start(({ path }) => ({ result: { data: path } }));
    using setup = makeHooks({
      rpc: { endpoint: backend.url('/main') },
      proxies: [{ name: 'billing', endpoint: backend.url('/billing') }],
      rpcWithoutNamespace: { proxyEnabled: true },
      rpcNamespaces: [{ name: 'bill', proxyEnabled: true, proxyName: 'billing' }, { name: 'off' }],
    });
    const rpc = (method: string) => setup.hub.ask('rpc', { connection, method, signal });
    expect(text((await rpc('plain'))?.data)).toBe('"/main"');
    expect(text((await rpc('bill:pay:now'))?.data)).toBe('"/billing"');
    expect(await rpc('off:x')).toBeUndefined();
    await expect(rpc('unknown:x')).rejects.toBe(replyErrors.methodNotFound);
  });

  test('no hook, no handler', () => {
    using setup = makeHooks({ rpcNamespaces: [{ name: 'off' }] });
    expect(setup.hub.handlers.size).toBe(0);
  });
});

describe.each(commands)('%s refused by the backend', (name) => {
  test('with an error', async () => {
    await using backend = await HookBackend.start(() => ({
      error: { code: 1_000, message: 'not now', temporary: true },
    }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const refusal = await refusalOf(questions[name](setup.hub));
    expect(refusal).toBeInstanceOf(ReplyError);
    expect(refusal).toMatchObject({ code: 1_000, message: 'not now', temporary: true });
  });
});

describe.each(all)('%s', (name) => {
  test('can end the connection; disconnect counts before error and result', async () => {
    await using backend = await HookBackend.start(() => ({
      disconnect: { code: 4_500, reason: 'bänned '.repeat(30) },
      error: { code: 1_000, message: 'no' },
      result: {},
    }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const refusal = await refusalOf(questions[name](setup.hub));
    expect(refusal).toBeInstanceOf(Disconnect);
    expect((refusal as Disconnect).code).toBe(4_500);
    expect(Buffer.byteLength((refusal as Disconnect).reason)).toBeLessThanOrEqual(123);
    expect((refusal as Disconnect).reason).not.toContain('\uFFFD');
  });
});

describe.each(commands)('%s without a usable answer is error 100', (name) => {
  const answers: readonly (readonly [string, HookResponder, string])[] = [
    [
      'HTML',
      (_hook, response) => {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end('<html>');
      },
      'the answer is not JSON (content type text/html)',
    ],
    ['nothing', (_hook, response) => void response.end(), 'the answer is empty'],
    ['an array', () => [], 'the answer must be an object, not an array'],
    [
      'null',
      (_hook, response) => void response.end('null'),
      'the answer must be an object, not null',
    ],
    [
      'an empty object',
      () => ({}),
      'the answer must have one of result, error and disconnect (to agree, answer {"result":{}})',
    ],
    [
      'a result of the wrong type',
      () => ({ result: 'ok' }),
      'result must be an object, not a string',
    ],
    [
      'an error code of the wrong type',
      () => ({ error: { code: '1000' } }),
      'error.code must be a whole number from 0 to 2^53 - 1, not a string',
    ],
    [
      'an error without code',
      () => ({ error: { message: 'x' } }),
      'error.code must be a number; 400 to 1999 are for applications',
    ],
    [
      'a disconnect code that WebSocket forbids',
      () => ({ disconnect: { code: 1005 } }),
      'disconnect.code must be from 4000 to 4999',
    ],
    [
      'compression that nobody asked for',
      (_hook, response) => {
        response.setHeader('content-encoding', 'gzip');
        response.end('xx');
      },
      'the answer is compressed, which was not asked for',
    ],
    [
      'invalid UTF-8',
      (_hook, response) => void response.end(Buffer.from([0x22, 0xff, 0x22])),
      'the answer is not JSON (content type unknown)',
    ],
    [
      'another status',
      (_hook, response) => void response.writeHead(500).end('{"result":{}}'),
      'it answers with status 500',
    ],
  ];

  test.each(answers)('%s', async (_case, respond, cause) => {
    await using backend = await HookBackend.start(respond);
    using setup = makeHooks(allHooks({ endpoint: backend.url('/h?key=secret') }));
    await expect(questions[name](setup.hub)).rejects.toBe(replyErrors.internal);
    expect(setup.lines.length).toBe(1);
    expect(setup.lines[0]?.fields).toMatchObject({
      hook: name,
      endpoint: backend.url('/h'),
      cause,
      suppressed: 0,
    });
    expect(setup.lines[0]?.message).toContain(`${name} hook at ${backend.url('/h')}: ${cause}; `);
    expect(JSON.stringify(setup.lines)).not.toContain('secret');
  });
});

describe('members of the wrong type', () => {
  const cases: readonly (readonly [Question, object, string])[] = [
    ['connect', { user: 56 }, 'result.user must be a string, not a whole number'],
    ['connect', { expire_at: '9' }, 'result.expire_at must be a whole number'],
    ['connect', { expire_at: 1.5 }, 'result.expire_at must be a whole number'],
    ['connect', { channels: 'a' }, 'result.channels must be an array of strings, not a string'],
    [
      'connect',
      { subs: { a: { data: 1, b64data: '*' } } },
      'result.subs.a.b64data must be standard',
    ],
    ['connect', { subs: { a: 1 } }, 'result.subs.a must be an object, not a whole number'],
    [
      'subscribe',
      { override: { presence: true } },
      'result.override.presence must be an object, not a boolean',
    ],
    ['publish', { tags: { a: 1 } }, 'result.tags must be an object of strings, not an object'],
    ['publish', { version: -1 }, 'result.version must be a whole number'],
    ['rpc', { b64data: 'AAA' }, 'result.b64data must be standard base64'],
  ];

  test.each(cases)('%s %j', async (name, result, message) => {
    await using backend = await HookBackend.start(() => ({ result }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    await expect(questions[name](setup.hub)).rejects.toBe(replyErrors.internal);
    expect(setup.lines[0]?.message).toContain(message);
  });
});

describe('headers', () => {
  test('cookies and all else stay here unless listed', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    for (const name of all) await questions[name](setup.hub);
    expect(backend.received.length).toBe(all.length);
    for (const { headers } of backend.received) {
      expect(Object.keys(headers).toSorted()).toEqual([
        'connection',
        'content-length',
        'content-type',
        'host',
        'user-agent',
      ]);
      expect(headers.host).toBe(`127.0.0.1:${backend.port}`);
    }
  });

  test('what is listed is sent, each from its own source', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    const endpoint = backend.url().replace('http://', 'http://us%40er:pass@');
    using setup = makeHooks({
      connect: {
        endpoint,
        httpHeaders: ['Cookie'],
        emulatedHeaders: ['authorization'],
        staticHeaders: { 'X-Key': 'k' },
      },
      refresh: { endpoint, httpHeaders: ['Host'] },
    });
    await questions.connect(setup.hub);
    await questions.refresh(setup.hub);
    expect(backend.received[0]?.headers).toMatchObject({
      cookie: 'session=secret',
      authorization: 'Bearer t',
      'x-key': 'k',
      'content-type': 'application/json',
    });
    expect(backend.received[1]?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('us@er:pass').toString('base64')}`,
      host: `127.0.0.1:${backend.port}`,
    });
    expect(setup.lines.map(({ message }) => message)).toEqual([
      'client.proxy.refresh: the header host belongs to a single hop or to the body and is not forwarded; take it out of the list',
    ]);
  });

  test('an emulated header with a line break is refused', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks({
      connect: { endpoint: backend.url(), emulatedHeaders: ['x'] },
    });
    const event = { ...connecting, emulatedHeaders: { x: 'a\r\nx-admin: 1' } };
    await expect(setup.hub.ask('connecting', event)).rejects.toBe(replyErrors.badRequest);
    expect(backend.received).toEqual([]);
  });
});

describe('payloads', () => {
  test('that are not JSON cannot write members of the request', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const data = bytes('1,"user":"root"');
    for (let i = 0; i < 3; i++) {
      await expect(setup.hub.ask('publishing', { ...channel, data })).rejects.toBe(
        replyErrors.badRequest,
      );
    }
    expect(backend.received).toEqual([]);
    expect(setup.lines.map(({ message }) => message)).toEqual([
      "publish hook: a client's data is not JSON, so it cannot be sent to the backend; the client gets error 107. For binary data set channel.proxy.publish.binary_encoding",
    ]);
  });

  test('binary encoding carries any bytes, both ways', async () => {
    await using backend = await HookBackend.start(() => ({ result: { b64data: 'AP+A' } }));
    using setup = makeHooks(allHooks({ endpoint: backend.url(), binaryEncoding: true }));
    const grant = await setup.hub.ask('publishing', {
      ...channel,
      data: new Uint8Array([0x80, 0xff, 0x00]),
    });
    expect(backend.received[0]?.body).toEqual({
      ...common,
      encoding: 'binary',
      user: '56',
      channel: 'chat:index',
      b64data: 'gP8A',
    });
    expect([...(grant?.data ?? [])]).toEqual([0x00, 0xff, 0x80]);
  });

  test('meta is sent only when asked for', async () => {
    await using backend = await HookBackend.start(() => ({ result: {} }));
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    await questions.rpc(setup.hub);
    expect(backend.received[0]?.body).toEqual({ ...common, user: '56', method: 'echo' });
  });
});

describe('status transforms', () => {
  test('the first one of a status decides', async () => {
    await using backend = await HookBackend.start(({ path }, response) => {
      response.writeHead(Number(path.slice(1))).end();
    });
    const transforms = {
      statusToCodeTransforms: [
        { statusCode: 403, toError: { code: 403, message: 'permission denied' } },
        { statusCode: 403, toError: { code: 999, message: 'never' } },
        { statusCode: 429, toError: { code: 429, message: 'later', temporary: true } },
        { statusCode: 404, toDisconnect: { code: 4_904, reason: 'not found' } },
      ],
    };
    const refusal = async (status: number) => {
      using setup = makeHooks({ connect: { endpoint: backend.url(`/${status}`), ...transforms } });
      return await refusalOf(questions.connect(setup.hub));
    };
    expect(await refusal(403)).toMatchObject({ code: 403, temporary: false });
    expect(await refusal(429)).toMatchObject({ code: 429, temporary: true });
    expect(await refusal(404)).toMatchObject({ code: 4_904, reason: 'not found' });
    expect(await refusal(418)).toBe(replyErrors.internal);
  });
});

describe('trouble', () => {
  test('a client that goes away gets no answer and leaves no log line', async () => {
    await using backend = await HookBackend.start(() => undefined);
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    const controller = new AbortController();
    const asked = setup.hub.ask('rpc', {
      connection,
      method: 'x',
      signal: controller.signal,
    });
    controller.abort();
    expect(await refusalOf(asked)).toMatchObject({ code: 3_000 });
    expect(setup.lines).toEqual([]);
  });

  test('is logged once per interval and kind, counted always', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.writeHead(302, { location: '/login?next=secret' }).end();
    });
    using setup = makeHooks(allHooks({ endpoint: backend.url() }));
    for (let i = 0; i < 5; i++) await refusalOf(questions.connect(setup.hub));
    expect(setup.lines.map(({ message }) => message)).toEqual([
      `connect hook at ${backend.url()}: it answers with a redirect (302); clients get error 100 and try again. Hooks follow no redirects: set the endpoint to the final address, perhaps ${backend.url('/login')}.`,
    ]);
    const [calls] = setup.hooks.metrics().calls;
    expect(calls).toMatchObject({ hook: 'connect', proxy: 'default' });
    expect(calls?.metrics.outcomes.counts).toEqual(new Map([['status', 5]]));
    expect(calls?.metrics.duration.count).toBe(5);
  });

  test('an endpoint that does not work is a problem with a name', async () => {
    const backend = await HookBackend.start(() => ({}));
    const endpoint = backend.url();
    await backend.stop();
    using setup = makeHooks({
      subscribe: { endpoint, circuitBreaker: { failureThreshold: 1 } },
      withoutNamespace: { subscribeProxyEnabled: true },
    });
    expect(setup.hooks.problems()).toEqual([]);
    const event = { ...channel, namespace: '', token: '' };
    await refusalOf(setup.hub.ask('subscribing', event));
    expect(setup.hooks.problems()).toEqual([
      'channel.proxy.subscribe: the backend does not work: nothing accepts connections there (ECONNREFUSED); next try in 1 s',
    ]);
    expect(setup.hooks.metrics().endpoints).toEqual([
      { key: 'channel.proxy.subscribe', callsUnderWay: 0, callsWaiting: 0, circuit: 'open' },
    ]);
  });
});

describe('configuration that cannot work', () => {
  const endpoint = 'http://127.0.0.1/';
  const cases: readonly (readonly [HooksOptions, string])[] = [
    [
      { namespaces: [{ name: 'chat', publishProxyEnabled: true }] },
      'channel.namespaces[chat].publish_proxy_enabled is true, but channel.proxy.publish.endpoint is not set',
    ],
    [
      { withoutNamespace: { subscribeProxyEnabled: true, subscribeProxyName: 'x' } },
      "channel.without_namespace.subscribe_proxy_name is 'x', but proxies has no entry of that name",
    ],
    [
      { rpcNamespaces: [{ name: 'a', proxyEnabled: true, proxyName: 'x' }] },
      "rpc.namespaces[a].proxy_name is 'x', but proxies has no entry of that name",
    ],
    [
      { connect: { endpoint: 'grpc://127.0.0.1:9000' } },
      'client.proxy.connect.endpoint: hooks over gRPC are not supported; give an http:// or https:// address',
    ],
    [
      { connect: { endpoint: 'user:secret' } },
      'client.proxy.connect.endpoint: must begin with http:// or https://, not user:',
    ],
    [
      { connect: { endpoint: '' } },
      'client.proxy.connect.endpoint: not a URL; give an address such as http://127.0.0.1:3000/hooks',
    ],
    [
      { connect: { endpoint, httpHeaders: ['a b'] } },
      "client.proxy.connect.http_headers: 'a b' is no valid HTTP header",
    ],
    [
      { connect: { endpoint, statusToCodeTransforms: [{ statusCode: 403 }] } },
      'client.proxy.connect: the transform of status 403 needs one of to_error and to_disconnect',
    ],
  ];

  test.each(cases)('%j', (options, message) => {
    expect(() => makeHooks(options)).toThrow(message);
  });
});

test('close takes the handlers off the hub', async () => {
  await using backend = await HookBackend.start(() => ({ result: {} }));
  const setup = makeHooks(allHooks({ endpoint: backend.url() }));
  expect([...setup.hub.handlers.keys()].toSorted()).toEqual([
    'connecting',
    'publishing',
    'refreshing',
    'rpc',
    'subRefreshing',
    'subscribing',
  ]);
  setup.hooks.close();
  expect(setup.hub.handlers.size).toBe(0);
});
