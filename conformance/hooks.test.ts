import type { HubOptions } from '@holdfast/hub';
import { type Hooks, type HooksOptions, installHooks } from '@holdfast/server';
import { ManualClock } from '@holdfast/hub/testing';
import { type Centrifuge, type ConnectedContext, SubscriptionState } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import { expect, describe, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Answers, type Backend, startBackend } from './hook-backend.ts';
import { type RunningHub, startHub } from './running-hub.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

interface Setup extends AsyncDisposable {
  readonly running: RunningHub;
  readonly hooks: Hooks;
}

async function startWithHooks(hubOptions: HubOptions, hooksOptions: HooksOptions): Promise<Setup> {
  const running = await startHub({
    ...hubOptions,
    client: { insecure: false, ...hubOptions.client },
  });
  const { clock } = hubOptions;
  const hooks = installHooks(running.hub, hooksOptions, clock === undefined ? {} : { clock });
  return {
    running,
    hooks,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      hooks.close();
    },
  };
}

/** A hub whose backend answers connect, and what else is asked for. */
function connectOnly(
  backend: Backend,
  more: HooksOptions = {},
  hubOptions: HubOptions = {},
): Promise<Setup> {
  return startWithHooks(hubOptions, { connect: { endpoint: backend.url('connect') }, ...more });
}

/** Nothing expires before a test says so. */
const clock = new ManualClock();
/** Without pings, which nobody would answer in no time. */
const onClock: HubOptions = { clock, client: { pingIntervalMs: 0 } };
const inTenSeconds = () => clock.now() / 1000 + 10;

/** Lets what was good for ten seconds expire; resolves when the backend was asked, and has answered. */
async function expire({ hooks }: Setup, asked: () => number): Promise<void> {
  const before = asked();
  clock.advance(11_000);
  await vi.waitFor(() => {
    expect(asked()).toBe(before + 1);
    for (const { callsUnderWay } of hooks.metrics().endpoints) expect(callsUnderWay).toBe(0);
  });
}

function connected(client: Centrifuge | ProtobufCentrifuge): Promise<ConnectedContext> {
  const promise = new Promise<ConnectedContext>((resolve) => client.once('connected', resolve));
  client.connect();
  return promise;
}

function event<Context>(
  source: { once(name: string, listener: (context: Context) => void): unknown },
  name: string,
): Promise<Context> {
  return new Promise((resolve) => source.once(name, resolve));
}

describe('connect', () => {
  test('the backend says who connects, with what, and where', async () => {
    await using backend = await startBackend({
      connect: () => ({
        result: {
          user: 'ann',
          info: { name: 'Ann' },
          data: { welcome: true },
          channels: ['lobby'],
          subs: { vip: { data: { seats: 3 }, override: { presence: { value: false } } } },
        },
      }),
    });
    await using setup = await startWithHooks(
      { channel: { withoutNamespace: { presence: true } } },
      {
        connect: {
          endpoint: backend.url('connect'),
          httpHeaders: ['X-Forwarded-For'],
          emulatedHeaders: ['Authorization'],
        },
      },
    );
    const client = setup.running.client({
      data: { hello: 1 },
      headers: { Authorization: 'Bearer t', Cookie: 'forged=1' },
      name: 'test',
    });
    const seen: string[] = [];
    client.on('subscribed', ({ channel, data }) => seen.push(`${channel} ${JSON.stringify(data)}`));
    const context = await connected(client);
    expect(context.data).toEqual({ welcome: true });
    await vi.waitFor(() => expect(seen.toSorted()).toEqual(['lobby undefined', 'vip {"seats":3}']));
    expect(backend.asked[0]?.body).toMatchObject({
      client: context.client,
      transport: 'websocket',
      protocol: 'json',
      encoding: 'json',
      data: { hello: 1 },
      name: 'test',
    });
    expect(backend.asked[0]?.headers.authorization).toBe('Bearer t');
    expect(backend.asked[0]?.headers.cookie).toBeUndefined();
    const { hub } = setup.running;
    expect([...(await hub.presence('lobby')).values()]).toMatchObject([
      { user: 'ann', client: context.client, conn_info: bytes('{"name":"Ann"}') },
    ]);
    expect(await hub.presence('vip')).toEqual(new Map());
  });

  test('an error that is not temporary is final, a disconnect too', async () => {
    await using backend = await startBackend({
      connect: () => ({ error: { code: 1_000, message: 'not you' } }),
    });
    await using setup = await connectOnly(backend);
    const client = setup.running.client();
    client.on('error', () => undefined);
    client.connect();
    expect(await event(client, 'disconnected')).toMatchObject({ code: 1_000, reason: 'not you' });
    backend.answers.connect = () => ({ disconnect: { code: 4_501, reason: 'banned' } });
    const other = setup.running.client();
    other.connect();
    expect(await event(other, 'disconnected')).toMatchObject({ code: 4_501, reason: 'banned' });
  });

  test('a backend in trouble makes the client try again until it works', async () => {
    const troubles: Answers['connect'][] = [
      () => 500,
      () => '<html>',
      () => 302,
      () => ({ result: { user: 7 } }),
      () => ({}),
    ];
    await using backend = await startBackend({
      connect: (asked) => {
        const trouble = troubles.shift();
        return trouble === undefined ? { result: { user: 'ann' } } : trouble(asked);
      },
    });
    await using setup = await connectOnly(backend);
    const client = setup.running.client();
    const errors: number[] = [];
    client.on('error', ({ error }) => errors.push(error.code));
    await connected(client);
    expect(errors).toEqual([100, 100, 100, 100, 100]);
    const [calls] = setup.hooks.metrics().calls;
    expect(Object.fromEntries(calls?.metrics.outcomes.counts ?? [])).toEqual({
      status: 2,
      invalid_answer: 3,
      answered: 1,
    });
  });

  test('a backend that never answers costs the deadline', async () => {
    await using backend = await startBackend({ connect: () => undefined });
    await using setup = await connectOnly(backend, {
      connect: { endpoint: backend.url('connect'), timeoutMs: 100 },
    });
    const client = setup.running.client();
    const failed = event<{ error: { code: number } }>(client, 'error');
    client.connect();
    expect((await failed).error.code).toBe(100);
  });

  test('while a backend does not answer, nobody else waits', async () => {
    await using backend = await startBackend({
      connect: ({ body }) => (body.name === 'slow' ? undefined : { result: { user: 'ann' } }),
    });
    await using setup = await connectOnly(backend, {
      connect: { endpoint: backend.url('connect'), timeoutMs: 60_000 },
    });
    setup.running.client({ name: 'slow' }).connect();
    await vi.waitFor(() => expect(backend.asked).toHaveLength(1));
    await connected(setup.running.client());
    expect(setup.hooks.metrics().endpoints[0]?.callsUnderWay).toBe(1);
  });

  test('a client that leaves takes its question with it', async () => {
    await using backend = await startBackend({ connect: () => undefined });
    await using setup = await connectOnly(backend, {
      connect: { endpoint: backend.url('connect'), timeoutMs: 60_000 },
    });
    const client = setup.running.client();
    client.connect();
    await vi.waitFor(() => expect(backend.asked.length).toBe(1));
    client.disconnect();
    await vi.waitFor(() => {
      expect(setup.hooks.metrics().endpoints[0]?.callsUnderWay).toBe(0);
    });
  });
});

describe('refresh', () => {
  test('the server asks, the client notices nothing, until the backend ends it', async () => {
    await using backend = await startBackend({
      connect: () => ({ result: { user: 'ann', expire_at: inTenSeconds(), meta: { tenant: 1 } } }),
      refresh: () => ({ result: { expire_at: inTenSeconds() } }),
    });
    const refresh = { endpoint: backend.url('refresh'), includeConnectionMeta: true };
    await using setup = await connectOnly(backend, { refresh }, onClock);
    const client = setup.running.client();
    await connected(client);
    const lost = event<{ code: number }>(client, 'connecting');
    const asked = () => backend.asked.filter(({ hook }) => hook === 'refresh');
    await expire(setup, () => asked().length);
    // The next command is answered over the same connection.
    await expect(client.rpc('any', {})).rejects.toMatchObject({ code: 108 });
    backend.answers.refresh = () => ({ result: { expired: true } });
    await expire(setup, () => asked().length);
    expect(await lost).toMatchObject({ code: 3_005 });
    expect(asked()[0]?.body).toMatchObject({ user: 'ann', meta: { tenant: 1 } });
  });

  test('a disconnect of the backend reaches the client', async () => {
    await using backend = await startBackend({
      connect: () => ({ result: { user: 'ann', expire_at: inTenSeconds() } }),
      refresh: () => ({ disconnect: { code: 4_502, reason: 'logged out' } }),
    });
    const refresh = { endpoint: backend.url('refresh') };
    await using setup = await connectOnly(backend, { refresh }, onClock);
    const client = setup.running.client();
    await connected(client);
    const end = event(client, 'disconnected');
    clock.advance(11_000);
    expect(await end).toMatchObject({
      code: 4_502,
      reason: 'logged out',
    });
  });

  test('a backend that is down ends nothing', async () => {
    await using backend = await startBackend({
      connect: () => ({ result: { user: 'ann', expire_at: inTenSeconds() } }),
      refresh: () => 503,
    });
    const refresh = { endpoint: backend.url('refresh') };
    await using setup = await connectOnly(backend, { refresh }, onClock);
    const client = setup.running.client();
    await connected(client);
    await expire(setup, () => backend.asked.filter(({ hook }) => hook === 'refresh').length);
    await expect(client.rpc('any', {})).rejects.toMatchObject({ code: 108 });
    expect(client.state).toBe('connected');
  });
});

const chat = {
  channel: { namespaces: [{ name: 'chat', allowSubscribeForClient: true }] },
} satisfies HubOptions;

function withChat(backend: Backend, enabled: 'subscribe' | 'publish' | 'subRefresh'): HooksOptions {
  return {
    connect: { endpoint: backend.url('connect') },
    subscribe: { endpoint: backend.url('subscribe') },
    publish: { endpoint: backend.url('publish') },
    subRefresh: { endpoint: backend.url('sub_refresh') },
    namespaces: [
      {
        name: 'chat',
        subscribeProxyEnabled: enabled !== 'publish',
        publishProxyEnabled: enabled === 'publish',
        subRefreshProxyEnabled: enabled === 'subRefresh',
      },
    ],
  };
}

const ann = () => ({ result: { user: 'ann' } });

describe('subscribe', () => {
  test('allowed with data, refused with a code, retried when the backend is in trouble', async () => {
    let failures = 2;
    await using backend = await startBackend({
      connect: ann,
      subscribe: ({ body }) => {
        if (body.channel === 'chat:closed')
          return { error: { code: 403, message: 'members only' } };
        if (body.channel === 'chat:ban') return { disconnect: { code: 4_503, reason: 'banned' } };
        if (failures > 0) {
          failures -= 1;
          return 500;
        }
        return { result: { data: { topic: 'x' }, info: { role: 'guest' } } };
      },
    });
    await using setup = await startWithHooks(chat, withChat(backend, 'subscribe'));
    const client = setup.running.client();
    await connected(client);
    const open = client.newSubscription('chat:open', {
      data: { hello: 1 },
      minResubscribeDelay: 10,
      maxResubscribeDelay: 20,
    });
    const codes: number[] = [];
    open.on('error', ({ error }) => codes.push(error.code));
    open.subscribe();
    expect(await event(open, 'subscribed')).toMatchObject({ data: { topic: 'x' } });
    expect(codes).toEqual([100, 100]);
    expect(backend.asked.at(-1)?.body).toMatchObject({
      user: 'ann',
      channel: 'chat:open',
      data: { hello: 1 },
    });

    const closed = client.newSubscription('chat:closed');
    closed.subscribe();
    expect(await event(closed, 'unsubscribed')).toMatchObject({
      code: 403,
      reason: 'members only',
    });

    client.newSubscription('chat:ban').subscribe();
    expect(await event(client, 'disconnected')).toMatchObject({ code: 4_503 });
  });

  test('a private channel needs a token; the backend is not asked', async () => {
    await using backend = await startBackend({ connect: ann, subscribe: () => ({ result: {} }) });
    await using setup = await startWithHooks(chat, withChat(backend, 'subscribe'));
    const client = setup.running.client();
    await connected(client);
    const hidden = client.newSubscription('$chat:hidden');
    hidden.subscribe();
    expect(await event(hidden, 'unsubscribed')).toMatchObject({ code: 103 });
    expect(backend.asked.map(({ hook }) => hook)).toEqual(['connect']);
  });
});

describe('sub_refresh', () => {
  test('the server asks, until the backend ends the subscription', async () => {
    let refreshes = 0;
    await using backend = await startBackend({
      connect: ann,
      subscribe: () => ({ result: { expire_at: inTenSeconds() } }),
      sub_refresh: () => {
        refreshes += 1;
        return refreshes === 1
          ? { result: { expire_at: inTenSeconds() } }
          : { result: { expired: true } };
      },
    });
    await using setup = await startWithHooks(
      { ...chat, ...onClock },
      withChat(backend, 'subRefresh'),
    );
    const client = setup.running.client();
    await connected(client);
    const subscription = client.newSubscription('chat:a', { minResubscribeDelay: 60_000 });
    subscription.subscribe();
    await event(subscription, 'subscribed');
    const again = event<{ code: number }>(subscription, 'subscribing');
    await expire(setup, () => refreshes);
    expect(subscription.state).toBe(SubscriptionState.Subscribed);
    await expire(setup, () => refreshes);
    expect((await again).code).toBe(2_501);
    expect(refreshes).toBe(2);
    expect(subscription.state).not.toBe(SubscriptionState.Unsubscribed);
    expect(client.state).toBe('connected');
  });
});

describe('publish', () => {
  test('the backend may change, refuse and end', async () => {
    await using backend = await startBackend({
      connect: ann,
      publish: ({ body }) => {
        if (body.data === 'rude') return { error: { code: 1_001, message: 'mind your words' } };
        if (body.data === 'worse') return { disconnect: { code: 4_500, reason: 'out' } };
        return '{"result":{"data":{"id":12345678901234567890},"tags":{"by":"ann"}}}';
      },
    });
    await using setup = await startWithHooks(chat, withChat(backend, 'publish'));
    const client = setup.running.client();
    await connected(client);
    const subscription = client.newSubscription('chat:a');
    subscription.subscribe();
    await event(subscription, 'subscribed');
    const publications: unknown[] = [];
    subscription.on('publication', ({ data, tags, info }) => {
      publications.push({ data, tags, user: info?.user });
    });
    const texts: string[] = [];
    setup.running.hub.on('published', ({ publication }) => {
      texts.push(Buffer.from(publication.data ?? []).toString());
    });
    await subscription.publish('hi');
    await vi.waitFor(() => expect(publications.length).toBe(1));
    expect(publications[0]).toMatchObject({ tags: { by: 'ann' }, user: 'ann' });
    expect(texts).toEqual(['{"id":12345678901234567890}']);
    await expect(subscription.publish('rude')).rejects.toMatchObject({ code: 1_001 });
    subscription.publish('worse').catch(() => undefined);
    expect(await event(client, 'disconnected')).toMatchObject({ code: 4_500 });
    expect(publications.length).toBe(1);
  });
});

describe('rpc', () => {
  test('answers, errors, and the codes of methods that nobody answers', async () => {
    await using backend = await startBackend({
      connect: ann,
      rpc: ({ body }) =>
        body.method === 'sum'
          ? { result: { data: { sum: 3 } } }
          : { error: { code: 404, message: 'no such method' } },
    });
    await using setup = await connectOnly(backend, {
      rpc: { endpoint: backend.url('rpc') },
      rpcWithoutNamespace: { proxyEnabled: true },
      rpcNamespaces: [{ name: 'off' }],
    });
    const client = setup.running.client();
    await connected(client);
    expect(await client.rpc('sum', [1, 2])).toEqual({ data: { sum: 3 } });
    expect(backend.asked.at(-1)?.body).toMatchObject({ user: 'ann', method: 'sum', data: [1, 2] });
    await expect(client.rpc('other', {})).rejects.toMatchObject({ code: 404 });
    await expect(client.rpc('unknown:x', {})).rejects.toMatchObject({ code: 104 });
    await expect(client.rpc('off:x', {})).rejects.toMatchObject({ code: 108 });
  });

  test('Protobuf clients: binary data reaches a binary hook, and no other', async () => {
    await using backend = await startBackend({
      connect: ann,
      rpc: ({ body }) => ({ result: { b64data: body.b64data } }),
    });
    await using setup = await connectOnly(backend, {
      rpc: { endpoint: backend.url('rpc'), binaryEncoding: true },
      rpcWithoutNamespace: { proxyEnabled: true },
      proxies: [{ name: 'json', endpoint: backend.url('rpc') }],
      rpcNamespaces: [{ name: 'json', proxyEnabled: true, proxyName: 'json' }],
    });
    const client = new ProtobufCentrifuge(setup.running.url, { websocket: WebSocket });
    try {
      await connected(client);
      const data = new Uint8Array([0, 255, 128]);
      const answer = await client.rpc('echo', data);
      expect([...answer.data]).toEqual([0, 255, 128]);
      expect(backend.asked.at(-1)?.body).toMatchObject({
        protocol: 'protobuf',
        encoding: 'binary',
        b64data: 'AP+A',
      });
      const count = backend.asked.length;
      await expect(client.rpc('json:echo', data)).rejects.toMatchObject({ code: 107 });
      expect(backend.asked.length).toBe(count);
    } finally {
      client.disconnect();
    }
  });
});
