import { once } from 'node:events';
import { Centrifuge, type PublicationContext } from 'centrifuge';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startTestServer, type StartedServer } from '../testing/started-server.ts';
import { apiMethods } from './methods.ts';
import { createOpenApiDocument } from './open-api.ts';

const sections = {
  client: { insecure: true },
  channel: {
    without_namespace: { presence: true, history_size: 10, history_ttl: '60s' },
    namespaces: [
      { name: 'plain' },
      { name: 'binary', publication_data_format: 'binary' },
      { name: 'state', subscription_type: 'map', map: { mode: 'persistent' } },
      {
        name: 'poll',
        subscription_type: 'shared_poll',
        shared_poll: { mode: 'versioned', publish_enabled: true, proxy_name: 'backend' },
      },
    ],
  },
  shared_poll: { hmac_secret_key: 'a secret of the backend' },
  proxies: [{ name: 'backend', endpoint: 'http://127.0.0.1:9/poll' }],
};

async function connect(server: StartedServer, channel?: string) {
  const client = new Centrifuge(server.websocketUrl);
  onTestFinished(() => client.disconnect());
  client.connect();
  await client.ready();
  const received: PublicationContext[] = [];
  if (channel !== undefined) {
    const subscription = client.newSubscription(channel);
    subscription.on('publication', (publication) => received.push(publication));
    subscription.subscribe();
    await subscription.ready();
    return { client, subscription, received };
  }
  return { client, subscription: undefined, received };
}

/** Id of the one client in a channel. */
async function onlyClient(server: StartedServer, channel: string): Promise<string> {
  const { result } = await server.call('presence', { channel });
  const [id = ''] = Object.keys(result?.presence as object);
  return id;
}

describe('publish', () => {
  test('reaches a client and says where it stands', async () => {
    await using server = await startTestServer(sections);
    const { received } = await connect(server, 'news');
    const reply = await server.call('publish', {
      channel: 'news',
      data: { text: 'hello' },
      tags: { kind: 'greeting' },
    });
    expect(reply).toEqual({ result: { offset: 1, epoch: expect.any(String) } });
    await expect.poll(() => received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      data: { text: 'hello' },
      offset: 1,
      tags: { kind: 'greeting' },
    });
  });

  test('without history it has no position', async () => {
    await using server = await startTestServer(sections);
    expect(await server.call('publish', { channel: 'plain:x', data: 1 })).toEqual({ result: {} });
    const skipped = { channel: 'news', data: 1, skip_history: true };
    expect(await server.call('publish', skipped)).toEqual({ result: {} });
  });

  test('keeps every digit and the order of names', async () => {
    await using server = await startTestServer(sections);
    const data = '{"b":12345678901234567890,"a":1.10,"2":0,"1":1e400}';
    await server.api('publish', `{"channel":"news","data":${data}}`);
    const history = await server.api('history', { channel: 'news', limit: 1 });
    expect(await history.text()).toContain(`"data":${data}`);
  });

  test('takes null, false, numbers and text as data, and deep nesting', async () => {
    await using server = await startTestServer(sections);
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);
    for (const data of ['null', 'false', '0', '""', deep]) {
      const reply = await server.api('publish', `{"channel":"news","data":${data}}`);
      expect(await reply.json()).toHaveProperty('result.offset');
    }
  });

  test('takes binary data in base64, and gives it back so', async () => {
    await using server = await startTestServer(sections);
    const b64data = Buffer.from([0, 255, 1]).toString('base64');
    await server.call('publish', { channel: 'news', b64data });
    const { result } = await server.call('history', { channel: 'news', limit: 1 });
    expect(result?.publications).toEqual([{ b64data, offset: 1 }]);
  });

  test('the same idempotency key publishes once', async () => {
    await using server = await startTestServer(sections);
    const { received } = await connect(server, 'news');
    const first = await server.call('publish', { channel: 'news', data: 1, idempotency_key: 'k' });
    const second = await server.call('publish', { channel: 'news', data: 2, idempotency_key: 'k' });
    expect(second).toEqual(first);
    await server.call('publish', { channel: 'news', data: 3 });
    await expect.poll(() => received.map(({ data }) => data as unknown)).toEqual([1, 3]);
  });

  test('an older version is not published', async () => {
    await using server = await startTestServer(sections);
    await server.call('publish', { channel: 'news', data: 'new', version: 2 });
    await server.call('publish', { channel: 'news', data: 'old', version: 1 });
    const { result } = await server.call('history', { channel: 'news', limit: -1 });
    expect(result?.publications).toEqual([{ data: 'new', offset: 1 }]);
  });

  test('leaves out the client that caused it', async () => {
    await using server = await startTestServer(sections);
    const author = await connect(server, 'news');
    const id = await onlyClient(server, 'news');
    const other = await connect(server, 'news');
    await server.call('publish', { channel: 'news', data: 1, exclude_client: id });
    await server.call('publish', { channel: 'news', data: 2 });
    await expect.poll(() => other.received.map(({ data }) => data as unknown)).toEqual([1, 2]);
    await expect.poll(() => author.received.map(({ data }) => data as unknown)).toEqual([2]);
  });

  test.each([
    ['no channel', { data: 1 }, 107],
    ['an empty channel', { channel: '', data: 1 }, 107],
    ['no data', { channel: 'news' }, 107],
    ['an unknown namespace', { channel: 'unknown:x', data: 1 }, 102],
    ['a channel of the wrong type', { channel: 5, data: 1 }, 107],
    ['bad base64', { channel: 'news', b64data: '%' }, 107],
    ['tags that are no texts', { channel: 'news', data: 1, tags: { a: 1 } }, 107],
    ['a version beyond 2^53', { channel: 'news', data: 1, version: 2 ** 60 }, 107],
    ['a channel name that is too long', { channel: 'x'.repeat(256), data: 1 }, 107],
    ['a channel name with control characters', { channel: 'a\nb', data: 1 }, 107],
    ['no object', [1], 107],
    ['null', null, 107],
  ])('refuses %s with a coded error', async (_what, params, code) => {
    await using server = await startTestServer(sections);
    const response = await server.api('publish', params);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test('members that are null count as absent, unknown ones are ignored', async () => {
    await using server = await startTestServer(sections);
    const params = { channel: 'news', data: 1, tags: null, skip_history: null, mystery: 1 };
    expect(await server.call('publish', params)).toHaveProperty('result');
  });

  test('names from strangers never become properties', async () => {
    await using server = await startTestServer(sections);
    const params = '{"channel":"news","data":1,"__proto__":{"skip_history":true},"tags":{"a":"b"}}';
    expect(await (await server.api('publish', params)).json()).toHaveProperty('result.offset');
    await server.call('publish', { channel: '__proto__', data: 1 });
    const history = await server.call('history', { channel: '__proto__', limit: -1 });
    expect(history.result?.publications).toEqual([{ data: 1, offset: 1 }]);
  });
});

describe('broadcast and batch', () => {
  test('broadcast answers for each channel, in order', async () => {
    await using server = await startTestServer(sections);
    const channels = ['a', 'unknown:b', 'plain:c'];
    expect(await server.call('broadcast', { channels, data: 1 })).toMatchObject({
      result: {
        responses: [
          { result: { offset: 1 } },
          { error: { code: 102, message: 'unknown channel' } },
          { result: {} },
        ],
      },
    });
    expect(await server.call('broadcast', { channels: [], data: 1 })).toMatchObject({
      error: { code: 107 },
    });
  });

  test.each([false, true])('batch runs every command, parallel: %s', async (parallel) => {
    await using server = await startTestServer(sections);
    const commands = [
      { publish: { channel: 'a', data: 1 } },
      { publish: { data: 1 } },
      { presence: { channel: 'a' } },
      { unknown: {} },
      {},
      5,
    ];
    const body = await server.call('batch', { commands, parallel });
    expect(body).toEqual({
      replies: [
        { publish: { offset: 1, epoch: expect.any(String) } },
        { error: { code: 107, message: expect.stringContaining('channel') } },
        { presence: { presence: {} } },
        { error: { code: 104, message: 'method not found' } },
        { error: { code: 104, message: 'method not found' } },
        { error: { code: 104, message: 'method not found' } },
      ],
    });
  });

  test('a batch in sequence keeps the order of its publications', async () => {
    await using server = await startTestServer(sections);
    const commands = [1, 2, 3, 4].map((data) => ({ publish: { channel: 'a', data } }));
    await server.call('batch', { commands });
    const { result } = await server.call('history', { channel: 'a', limit: -1 });
    expect(result?.publications).toMatchObject([1, 2, 3, 4].map((data) => ({ data })));
  });

  test('a batch has a limit, and an odd one is refused', async () => {
    await using server = await startTestServer(sections);
    const commands = Array.from({ length: 10_001 }, () => ({ info: {} }));
    for (const params of [{ commands }, { commands: 5 }, { commands: [], parallel: 'yes' }, []]) {
      expect(await server.call('batch', params)).toMatchObject({ error: { code: 107 } });
    }
  });
});

describe('clients', () => {
  test('subscribe and unsubscribe a user from the server', async () => {
    await using server = await startTestServer(sections);
    const { client } = await connect(server);
    const subscribed = once(client as never, 'subscribed');
    await server.call('subscribe', { channel: 'news', user: '', data: { welcome: true } });
    expect(await subscribed).toMatchObject([{ channel: 'news', data: { welcome: true } }]);
    const publication = once(client as never, 'publication');
    await server.call('publish', { channel: 'news', data: 1 });
    expect(await publication).toMatchObject([{ channel: 'news', data: 1 }]);
    const unsubscribed = once(client as never, 'unsubscribed');
    await server.call('unsubscribe', { channel: 'news', user: '' });
    expect(await unsubscribed).toMatchObject([{ channel: 'news' }]);
  });

  test('disconnect with the default code, a given code, and a whitelist', async () => {
    await using server = await startTestServer(sections);
    const first = await connect(server, 'news');
    const id = await onlyClient(server, 'news');
    const second = await connect(server);
    const secondGone = once(second.client as never, 'disconnected');
    await server.call('disconnect', { user: '', whitelist: [id] });
    expect(await secondGone).toMatchObject([{ code: 3503, reason: 'force disconnect' }]);
    const firstGone = once(first.client as never, 'disconnected');
    await server.call('disconnect', { user: '', disconnect: { code: 4501, reason: 'bye' } });
    expect(await firstGone).toMatchObject([{ code: 4501, reason: 'bye' }]);
  });

  test('refresh can let a connection expire', async () => {
    await using server = await startTestServer(sections);
    const { client } = await connect(server);
    const lost = once(client as never, 'connecting');
    await server.call('refresh', { user: '', expired: true });
    expect(await lost).toMatchObject([{ code: 3005 }]);
  });

  test('presence, its numbers, and active channels', async () => {
    await using server = await startTestServer(sections);
    await connect(server, 'news');
    const id = await onlyClient(server, 'news');
    expect(await server.call('presence', { channel: 'news' })).toEqual({
      result: { presence: { [id]: { client: id, user: '' } } },
    });
    expect(await server.call('presence_stats', { channel: 'news' })).toEqual({
      result: { num_clients: 1, num_users: 1 },
    });
    expect(await server.call('channels', { pattern: 'ne*' })).toEqual({
      result: { channels: { news: { num_clients: 1 } } },
    });
    expect(await server.call('channels', { pattern: 'x*' })).toEqual({ result: { channels: {} } });
    for (const method of ['presence', 'presence_stats', 'history', 'history_remove']) {
      expect(await server.call(method, { channel: 'plain:x' })).toMatchObject({
        error: { code: 108, message: 'not available' },
      });
    }
  });
});

describe('history', () => {
  test('gives pages, both ways, and the position alone', async () => {
    await using server = await startTestServer(sections);
    for (const data of [1, 2, 3]) await server.call('publish', { channel: 'news', data });
    const top = await server.call('history', { channel: 'news' });
    const epoch = top.result?.epoch;
    expect(top).toEqual({ result: { publications: [], offset: 3, epoch } });
    const since = { offset: 1, epoch };
    expect(await server.call('history', { channel: 'news', limit: 1, since })).toMatchObject({
      result: { publications: [{ data: 2, offset: 2 }], offset: 3 },
    });
    const reversed = { channel: 'news', limit: 2, reverse: true };
    expect(await server.call('history', reversed)).toMatchObject({
      result: { publications: [{ offset: 3 }, { offset: 2 }] },
    });
    const wrong = { channel: 'news', since: { offset: 1, epoch: 'other' } };
    expect(await server.call('history', wrong)).toMatchObject({ error: { code: 112 } });
  });

  test('can be removed; the position stays', async () => {
    await using server = await startTestServer(sections);
    await server.call('publish', { channel: 'news', data: 1 });
    expect(await server.call('history_remove', { channel: 'news' })).toEqual({ result: {} });
    expect(await server.call('history', { channel: 'news', limit: -1 })).toMatchObject({
      result: { publications: [], offset: 1 },
    });
  });

  test.each([{ limit: -2 }, { limit: 1.5 }, { limit: '5' }, { since: { offset: -1, epoch: '' } }])(
    'refuses %j',
    async (params) => {
      await using server = await startTestServer(sections);
      const reply = await server.call('history', { channel: 'news', ...params });
      expect(reply).toMatchObject({ error: { code: 107 } });
    },
  );
});

describe('info and rpc', () => {
  test('info names this node', async () => {
    await using server = await startTestServer({ ...sections, node: { name: 'one' } });
    const { result } = await server.call('info', '');
    expect(result?.nodes).toMatchObject([
      {
        uid: server.running.hub.nodeId,
        name: 'one',
        num_clients: 0,
        version: '0.1.0',
        process: { cpu: expect.any(Number), rss: expect.any(Number) },
      },
    ]);
  });

  test('rpc calls what an extension registered', async () => {
    const rpc = new Map([['double', async (params?: Uint8Array) => params]]);
    await using server = await startTestServer(sections, { rpc });
    const params = '{"method":"double","params":{"n":12345678901234567890}}';
    const response = await server.api('rpc', params);
    expect(await response.text()).toBe('{"result":{"data":{"n":12345678901234567890}}}');
    expect(await server.call('rpc', { method: 'other' })).toMatchObject({ error: { code: 104 } });
    expect(await server.call('rpc', {})).toMatchObject({ error: { code: 107 } });
  });

  test('what a method throws unexpectedly is logged and stays inside', async () => {
    const rpc = new Map([
      [
        'break',
        () => {
          throw new Error('password is swordfish');
        },
      ],
    ]);
    await using server = await startTestServer(sections, { rpc });
    expect(await server.call('rpc', { method: 'break' })).toEqual({
      error: { code: 100, message: 'internal server error', temporary: true },
    });
    expect(server.logLines).toContainEqual(expect.objectContaining({ msg: 'API method failed' }));
  });
});

test('each reply is as its schema says, so the OpenAPI document is true', async () => {
  const rpc = new Map([['echo', async (params?: Uint8Array) => params]]);
  await using server = await startTestServer(sections, { rpc });
  await connect(server, 'news');
  await server.call('publish', { channel: 'news', data: { a: 1 }, tags: { a: 'b' } });
  const params: Readonly<Record<keyof typeof apiMethods, object>> = {
    publish: { channel: 'news', data: 1 },
    broadcast: { channels: ['news', 'unknown:x'], data: 1 },
    publish_to_pattern: { pattern: 'ne*', data: 1 },
    message_to_all: { data: { a: 1 } },
    subscribe: { channel: 'news', user: 'u' },
    unsubscribe: { channel: 'news', user: 'u' },
    disconnect: { user: 'u' },
    refresh: { user: 'u' },
    presence: { channel: 'news' },
    presence_stats: { channel: 'news' },
    history: { channel: 'news', limit: -1 },
    history_remove: { channel: 'news' },
    channels: {},
    info: {},
    rpc: { method: 'echo', params: 1 },
    map_publish: { channel: 'state:a', key: 'x', data: 1, score: 7, tags: { a: 'b' } },
    map_remove: { channel: 'state:a', key: 'not there' },
    map_read_state: { channel: 'state:a' },
    map_read_stream: { channel: 'state:a', limit: -1 },
    map_stats: { channel: 'state:a' },
    map_clear: { channel: 'state:a' },
    shared_poll_publish: { channel: 'poll:a', key: 'x', data: 1, version: 1 },
    connections: {},
    online: { users: ['u', '__proto__'] },
    block_user: { user: 'u', expire_at: 4_000_000_000 },
    unblock_user: { user: 'u' },
    revoke_token: { uid: 't', expire_at: 4_000_000_000 },
    invalidate_user_tokens: { user: 'u', expire_at: 4_000_000_000 },
  };
  for (const [name, method] of Object.entries(apiMethods)) {
    const { result } = await server.call(name, params[name as keyof typeof apiMethods]);
    expect(method.result.strict().safeParse(result).error).toBeUndefined();
  }
  const paths = Object.keys(createOpenApiDocument('/api').paths);
  expect(paths).toEqual(expect.arrayContaining(Object.keys(params).map((name) => `/api/${name}`)));
});
