import { MemoryPresenceStore } from '@holdfast/hub';
import { createMemoryNetwork, ManualClock } from '@holdfast/hub/testing';
import { WebSocket } from 'ws';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { startHub } from './running-hub.ts';

const withHistory = { historySize: 10, historyTtlMs: 60_000 };

describe('cache recovery', () => {
  const cache = {
    ...withHistory,
    forceRecovery: true,
    forceRecoveryMode: 'cache' as const,
    autoCacheRecover: true,
  };

  test('brings the latest publication, at once and after an outage', async () => {
    await using running = await startHub({ channel: { withoutNamespace: cache } });
    for (const value of [1, 2, 3]) await running.hub.publish('price', value);
    const client = running.client();
    const subscription = client.newSubscription('price');
    const received: unknown[] = [];
    subscription.on('publication', ({ data }) => received.push(data));
    subscription.subscribe();
    client.connect();
    await vi.waitFor(() => expect(received).toEqual([3]));
    running.cutConnections();
    for (const value of [4, 5, 6]) await running.hub.publish('price', value);
    await vi.waitFor(() => expect(received).toEqual([3, 6]));
    await running.hub.publish('price', 7);
    await vi.waitFor(() => expect(received).toEqual([3, 6, 7]));
  });
});

describe('positions', () => {
  test('flag 2 turns a failed recovery into error 112', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { ...withHistory, forceRecovery: true } },
    });
    await running.hub.publish('a', 1);
    await using session = await RawSession.connect(running.url);
    const subscribe = { channel: 'a', recover: true, offset: 1, epoch: 'another' };
    expect(await session.ask({ id: 2, subscribe: { ...subscribe, flag: 2 } })).toMatchObject({
      error: { code: 112 },
    });
    const { subscribe: result } = await session.ask({ id: 3, subscribe });
    expect(result).toMatchObject({ was_recovering: true, offset: 1 });
    expect(result).not.toHaveProperty('recovered');
    expect(result).not.toHaveProperty('publications');
  });

  test('a recovered client starts from the offset it asked for', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { ...withHistory, forceRecovery: true } },
    });
    for (const value of [1, 2, 3]) await running.hub.publish('a', value);
    const { position } = await running.hub.history('a');
    await using session = await RawSession.connect(running.url);
    const { subscribe } = await session.ask({
      id: 2,
      subscribe: { channel: 'a', recover: true, offset: 1, epoch: position.epoch },
    });
    expect(subscribe).toMatchObject({ recovered: true, was_recovering: true, offset: 1 });
    expect(subscribe?.publications?.map(({ offset }) => offset)).toEqual([2, 3]);
  });

  test('the epoch of a state that was invalidated never recovers', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { ...withHistory, forceRecovery: true } },
    });
    await using session = await RawSession.connect(running.url);
    const subscribe = { channel: 'a', recover: true, offset: 0, epoch: '_' };
    const reply = await session.ask({ id: 2, subscribe });
    expect(reply.subscribe).not.toHaveProperty('recovered');
  });

  test('a delivery lost between nodes is noticed with the next one, and made up for', async () => {
    const network = createMemoryNetwork();
    const near = network.addNode();
    const channel = { withoutNamespace: { ...withHistory, forceRecovery: true } };
    await using home = await startHub({ channel, ...near });
    await using far = await startHub({ channel, ...network.addNode() });
    const client = home.client();
    const subscription = client.newSubscription('a', { minResubscribeDelay: 10 });
    const received: unknown[] = [];
    const again: number[] = [];
    subscription.on('publication', ({ data }) => received.push(data));
    subscription.on('subscribing', ({ code }) => again.push(code));
    subscription.subscribe();
    client.connect();
    await subscription.ready(60_000);
    await far.hub.publish('a', 1);
    await vi.waitFor(() => expect(received).toEqual([1]));
    near.link.dropNext(1);
    await far.hub.publish('a', 2);
    await far.hub.publish('a', 3);
    await vi.waitFor(() => expect(received).toEqual([1, 2, 3]), { timeout: 60_000 });
    expect(again).toEqual([0, 2500]);
  });

  test('a lost last delivery is noticed without a next one', async () => {
    const network = createMemoryNetwork();
    const near = network.addNode();
    const options = {
      channel: { withoutNamespace: { ...withHistory, forceRecovery: true } },
      client: { presenceUpdateIntervalMs: 100, channelPositionCheckDelayMs: 100 },
    };
    await using home = await startHub({ ...options, ...near });
    await using far = await startHub({ ...options, ...network.addNode() });
    const client = home.client();
    const subscription = client.newSubscription('a', { minResubscribeDelay: 10 });
    const received: unknown[] = [];
    subscription.on('publication', ({ data }) => received.push(data));
    subscription.subscribe();
    client.connect();
    await subscription.ready(60_000);
    near.link.dropNext(1);
    await far.hub.publish('a', 1);
    await vi.waitFor(() => expect(received).toEqual([1]), { timeout: 60_000 });
  });
});

describe('server-side subscriptions', () => {
  const options = {
    channel: { withoutNamespace: { ...withHistory, forceRecovery: true, presence: true } },
  };

  test('made and ended by the server, with recovery across a cut', async () => {
    await using running = await startHub(options);
    running.hub.on('connecting', () => ({ user: 'ann', subs: { own: {} } }));
    const client = running.client();
    const seen: unknown[] = [];
    const states: string[] = [];
    client.on('publication', ({ channel, data }) => seen.push([channel, data]));
    client.on('subscribed', ({ channel }) => states.push(`+${channel}`));
    client.on('unsubscribed', ({ channel }) => states.push(`-${channel}`));
    client.connect();
    await client.ready(60_000);
    await running.hub.subscribe({ user: 'ann' }, 'extra');
    await vi.waitFor(() => expect(states).toEqual(['+own', '+extra']));
    await running.hub.publish('own', 1);
    await running.hub.publish('extra', 2);
    await vi.waitFor(() => expect(seen).toHaveLength(2));
    await running.hub.unsubscribe({ user: 'ann' }, 'extra');
    await vi.waitFor(() => expect(states).toContain('-extra'));
    running.cutConnections();
    await running.hub.publish('own', 3);
    await vi.waitFor(() => expect(seen.at(-1)).toEqual(['own', 3]));
  });

  test('a loss ends the connection, which comes back and recovers', async () => {
    const network = createMemoryNetwork();
    const near = network.addNode();
    await using home = await startHub({ ...options, ...near });
    await using far = await startHub({ ...options, ...network.addNode() });
    home.hub.on('connecting', () => ({ user: 'ann', subs: { own: {} } }));
    const client = home.client();
    const seen: unknown[] = [];
    const connecting: number[] = [];
    client.on('publication', ({ data }) => seen.push(data));
    client.on('connecting', ({ code }) => connecting.push(code));
    client.connect();
    await client.ready(60_000);
    near.link.dropNext(1);
    await far.hub.publish('own', 1);
    await far.hub.publish('own', 2);
    await vi.waitFor(() => expect(seen).toEqual([1, 2]));
    expect(connecting).toEqual([0, 3010]);
  });

  test('personal channels, and one connection per user', async () => {
    await using running = await startHub({
      ...options,
      client: {
        subscribeToUserPersonalChannel: {
          enabled: true,
          personalChannelNamespace: '',
          singleConnection: true,
        },
      },
    });
    running.hub.on('connecting', () => ({ user: 'ann' }));
    const first = running.client();
    const ends: number[] = [];
    first.on('disconnected', ({ code }) => ends.push(code));
    first.connect();
    await first.ready(60_000);
    const second = running.client();
    const seen: unknown[] = [];
    second.on('publication', ({ channel, data }) => seen.push([channel, data]));
    second.connect();
    await second.ready(60_000);
    await vi.waitFor(() => expect(ends).toEqual([3504]));
    await running.hub.publish('#ann', 'for you');
    await vi.waitFor(() => expect(seen).toEqual([['#ann', 'for you']]));
  });

  test('of a user whose id names others is not made: they would read it', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { allowUserLimitedChannels: true } },
      client: {
        subscribeToUserPersonalChannel: {
          enabled: true,
          personalChannelNamespace: '',
          singleConnection: false,
        },
      },
    });
    running.hub.on('connecting', () => ({ user: 'ann,bob' }));
    const client = running.client();
    const ends: number[] = [];
    client.on('disconnected', ({ code }) => ends.push(code));
    client.connect();
    await vi.waitFor(() => expect(ends).toEqual([107]));
  });
});

test('a connection that ends while its subscriptions are made was never one', async () => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  class SlowPresence extends MemoryPresenceStore {
    override async add(...entry: Parameters<MemoryPresenceStore['add']>): Promise<void> {
      entered.resolve();
      await gate.promise;
      return super.add(...entry);
    }
  }
  const presence = new SlowPresence();
  await using running = await startHub({
    presence,
    channel: { withoutNamespace: { presence: true } },
  });
  const notices: string[] = [];
  running.hub.on('connecting', () => ({ user: 'ann', subs: { own: {} } }));
  running.hub.on('connected', () => void notices.push('connected'));
  running.hub.on('disconnected', () => void notices.push('disconnected'));
  const session = await RawSession.open(running.url);
  session.send({ id: 1, connect: {} });
  await entered.promise;
  await session[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
  gate.resolve();
  await vi.waitFor(async () => expect((await presence.get('own')).size).toBe(0));
  expect(notices).toEqual([]);
  expect(running.hub.metrics).toMatchObject({ clients: 0, subscriptions: 0 });
});

describe('who may do what', () => {
  const rules = {
    client: {
      insecure: false,
      allowAnonymousConnectWithoutToken: true,
      userIdHttpHeader: 'X-User',
    },
    channel: {
      withoutNamespace: { allowUserLimitedChannels: true },
      namespaces: [
        { name: 'open', allowSubscribeForClient: true, allowSubscribeForAnonymous: true },
        {
          name: 'members',
          allowSubscribeForClient: true,
          allowPublishForSubscriber: true,
          presence: true,
          allowPresenceForSubscriber: true,
          ...withHistory,
          allowHistoryForSubscriber: true,
        },
      ],
    },
  };
  const connectAs = (url: string, user: string) =>
    RawSession.connect(url, {}, { headers: { 'X-User': user } });

  test('a trusted header names the user', async () => {
    await using running = await startHub(rules);
    await using session = await connectAs(running.url, 'ann');
    expect(await session.ask({ id: 2, subscribe: { channel: 'chat#ann,bob' } })).toHaveProperty(
      'subscribe',
    );
    expect(await session.ask({ id: 3, subscribe: { channel: 'chat#bob' } })).toMatchObject({
      error: { code: 103 },
    });
    expect(await session.ask({ id: 4, subscribe: { channel: '$members:a' } })).toMatchObject({
      error: { code: 103 },
    });
  });

  test('anonymous clients need a rule of their own', async () => {
    await using running = await startHub(rules);
    await using session = await RawSession.connect(running.url);
    expect(await session.ask({ id: 2, subscribe: { channel: 'open:a' } })).toHaveProperty(
      'subscribe',
    );
    expect(await session.ask({ id: 3, subscribe: { channel: 'members:a' } })).toMatchObject({
      error: { code: 103 },
    });
  });

  test('what subscribers may do, others may not', async () => {
    await using running = await startHub(rules);
    await using session = await connectAs(running.url, 'ann');
    const channel = 'members:a';
    const requests = [
      { publish: { channel, data: Buffer.from('1') } },
      { presence: { channel } },
      { presence_stats: { channel } },
      { history: { channel, limit: 10 } },
    ];
    for (const [index, request] of requests.entries()) {
      expect((await session.ask({ id: 10 + index, ...request })).error?.code).toBe(103);
    }
    await session.ask({ id: 20, subscribe: { channel } });
    for (const [index, request] of requests.entries()) {
      expect(await session.ask({ id: 30 + index, ...request })).not.toHaveProperty('error');
    }
  });
});

describe('history', () => {
  test('pages both ways, to the limit of the server', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { ...withHistory } },
      client: { historyMaxPublicationLimit: 3 },
    });
    for (const value of [1, 2, 3, 4, 5]) await running.hub.publish('a', value);
    const client = running.client();
    client.connect();
    const page = async (options: Parameters<typeof client.history>[1]) => {
      const { publications } = await client.history('a', options);
      return publications.map(({ data }) => data as unknown);
    };
    const { epoch } = await client.history('a');
    expect(await page({ limit: 0 })).toEqual([]);
    expect(await page({ limit: 2 })).toEqual([1, 2]);
    expect(await page({ limit: -1 })).toEqual([1, 2, 3]);
    expect(await page({ limit: 2, since: { offset: 2, epoch } })).toEqual([3, 4]);
    expect(await page({ limit: 2, reverse: true })).toEqual([5, 4]);
    expect(await page({ limit: 2, reverse: true, since: { offset: 3, epoch } })).toEqual([2, 1]);
    await expect(page({ limit: 1, since: { offset: 1, epoch: 'other' } })).rejects.toMatchObject({
      code: 112,
    });
  });

  test('an idempotency key makes a repeated publish harmless, a version an outdated one', async () => {
    await using running = await startHub({ channel: { withoutNamespace: withHistory } });
    const first = await running.hub.publish('a', 1, { idempotencyKey: 'k' });
    expect(await running.hub.publish('a', 1, { idempotencyKey: 'k' })).toMatchObject({
      position: first.position,
      suppressed: 'idempotency',
    });
    await running.hub.publish('a', 'new', { version: 5 });
    expect(await running.hub.publish('a', 'old', { version: 4 })).toMatchObject({
      suppressed: 'version',
    });
    const { publications } = await running.hub.history('a', { limit: -1 });
    expect(publications).toHaveLength(2);
  });
});

describe('joins and leaves', () => {
  test('are told to those who asked for them', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { presence: true, joinLeave: true } },
    });
    const [watcher, other] = [running.client(), running.client()];
    const events: string[] = [];
    const watching = watcher.newSubscription('room', { joinLeave: true });
    const own = { client: '' };
    watcher.on('connected', ({ client }) => (own.client = client));
    watching.on('join', ({ info }) => info.client !== own.client && events.push('join'));
    watching.on('leave', ({ info }) => info.client !== own.client && events.push('leave'));
    watching.subscribe();
    watcher.connect();
    await watching.ready(60_000);
    const there = other.newSubscription('room');
    there.subscribe();
    other.connect();
    await there.ready(60_000);
    await vi.waitFor(() => expect(events).toEqual(['join']));
    other.disconnect();
    await vi.waitFor(() => expect(events).toEqual(['join', 'leave']));
  });
});

describe('deltas', () => {
  test('go out as patches where they are shorter, and full where nothing is known', async () => {
    await using running = await startHub({
      channel: {
        withoutNamespace: {
          ...withHistory,
          forceRecovery: true,
          allowedDeltaTypes: ['fossil'],
          deltaPublish: true,
        },
      },
    });
    const value = (n: number) => ({ text: 'a text that stays as it is', n });
    await using session = await RawSession.connect(running.url);
    const { subscribe } = await session.ask({
      id: 2,
      subscribe: { channel: 'a', delta: 'fossil' },
    });
    expect(subscribe?.delta).toBe(true);
    for (const n of [1, 2, 3]) await running.hub.publish('a', value(n));
    await vi.waitFor(() => expect(session.replies.filter(({ push }) => push?.pub)).toHaveLength(3));
    const pubs = session.replies.flatMap(({ push }) => push?.pub ?? []);
    expect(pubs.map(({ delta = false }) => delta)).toEqual([false, true, true]);
    const client = running.client();
    const subscription = client.newSubscription('a', { delta: 'fossil' });
    const received: unknown[] = [];
    subscription.on('publication', ({ data }) => received.push(data));
    subscription.subscribe();
    client.connect();
    await subscription.ready(60_000);
    await running.hub.publish('a', value(4));
    await vi.waitFor(() => expect(received).toEqual([value(4)]));
    // A recovery that brings nothing leaves the client without a base that both agree on.
    running.cutConnections();
    await client.ready(60_000);
    await subscription.ready(60_000);
    await running.hub.publish('a', value(5));
    await running.hub.publish('a', value(6));
    await vi.waitFor(() => expect(received).toEqual([value(4), value(5), value(6)]));
  });
});

describe('tags filters of streams', () => {
  const filtered = {
    channel: {
      withoutNamespace: { ...withHistory, forceRecovery: true, allowTagsFilter: true },
    },
  };

  test('hold for live and for recovered publications, while the position moves with all', async () => {
    await using running = await startHub(filtered);
    const client = running.client();
    const subscription = client.newSubscription('a', {
      tagsFilter: { key: 'color', cmp: 'eq', val: 'red' },
    });
    const received: unknown[] = [];
    const recoveries: boolean[] = [];
    subscription.on('publication', ({ data }) => received.push(data));
    subscription.on('subscribed', ({ recovered }) => recoveries.push(recovered));
    subscription.subscribe();
    client.connect();
    await subscription.ready(60_000);
    const send = (n: number, color: string) => running.hub.publish('a', n, { tags: { color } });
    await send(1, 'red');
    await send(2, 'blue');
    await send(3, 'red');
    await vi.waitFor(() => expect(received).toEqual([1, 3]));
    running.cutConnections();
    await send(4, 'blue');
    await send(5, 'red');
    await vi.waitFor(() => expect(received).toEqual([1, 3, 5]));
    expect(recoveries).toEqual([false, true]);
  });

  test.each([
    ['a leaf without a key', { cmp: 'eq', val: 'x' }],
    ['an unknown comparison', { key: 'a', cmp: 'like', val: 'x' }],
    ['an empty and', { op: 'and' }],
    [
      'a not of two',
      {
        op: 'not',
        nodes: [
          { key: 'a', cmp: 'ex' },
          { key: 'b', cmp: 'ex' },
        ],
      },
    ],
  ])('%s is refused', async (_, tf) => {
    await using running = await startHub(filtered);
    await using session = await RawSession.connect(running.url);
    expect(await session.ask({ id: 2, subscribe: { channel: 'a', tf } })).toMatchObject({
      error: { code: 107 },
    });
    expect(running.hub.metrics.subscriptions).toBe(0);
  });

  test('one is refused where the namespace does not allow it', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    const tf = { key: 'a', cmp: 'ex' };
    expect(await session.ask({ id: 2, subscribe: { channel: 'a', tf } })).toMatchObject({
      error: { code: 107 },
    });
  });
});

describe('limits of connections', () => {
  test.each([
    ['connection_limit', { connectionLimit: 1 }],
    ['connection_rate_limit', { connectionRateLimit: 1 }],
  ])('%s refuses the handshake and says when to come back', async (code, client) => {
    await using running = await startHub({ client, clock: new ManualClock() });
    await using first = await RawSession.connect(running.url);
    expect(first.closed).toBeUndefined();
    const answer = await new Promise<{ status: number; retry: string; body: string }>((resolve) => {
      new WebSocket(running.url).on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retry: response.headers['retry-after'] ?? '',
            body,
          }),
        );
      });
    });
    expect(answer).toMatchObject({ status: 503, retry: expect.stringMatching(/^\d+$/) as string });
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code } });
    expect(running.hub.metrics.refusedHandshakes.counts.get(code)).toBe(1);
  });

  test('a user has so many connections and no more', async () => {
    await using running = await startHub({ client: { userConnectionLimit: 1 } });
    running.hub.on('connecting', () => ({ user: 'ann' }));
    await using first = await RawSession.connect(running.url);
    expect(first.closed).toBeUndefined();
    await using second = await RawSession.open(running.url);
    second.send({ id: 1, connect: {} });
    expect(await second.waitForClose()).toMatchObject({ code: 3504 });
  });
});
