import { type Clock, type PolledItem, signTrackedKeys } from '@holdfast/hub';
import { ManualClock } from '@holdfast/hub/testing';
import type { SharedPollUpdateContext } from 'centrifuge';
import { expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { type RunningHub, startHub } from './running-hub.ts';

const secret = 'a secret that only the backend and the server know';
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function sign(channel: string, keys: readonly string[], { user = '', ttl = 3600 } = {}): string {
  const issuedAt = Math.floor(Date.now() / 1000);
  return signTrackedKeys(secret, { user, channel, keys }, { issuedAt, expireAt: issuedAt + ttl });
}

/** What the application's backend knows. */
class Backend {
  readonly items = new Map<string, PolledItem>();
  readonly asked: string[][] = [];
  epoch: string | undefined;
  failure: Error | undefined;

  set(key: string, value: unknown, version = 1): void {
    this.items.set(key, { key, data: bytes(value), version });
  }
}

async function startPolling(
  backend: Backend,
  options: {
    readonly mode?: 'versioned' | 'versionless';
    readonly limit?: number;
    readonly clock?: Clock;
  } = {},
): Promise<RunningHub> {
  const running = await startHub({
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    sharedPoll: { hmacSecretKey: secret },
    channel: {
      namespaces: [
        {
          name: 'poll',
          subscriptionType: 'shared_poll',
          sharedPoll: {
            mode: options.mode ?? 'versioned',
            refreshIntervalMs: 50,
            publishEnabled: true,
            maxKeysPerConnection: options.limit ?? 100,
          },
        },
      ],
    },
  });
  running.hub.on('polling', ({ items }) => {
    backend.asked.push(items.map(({ key }) => key));
    if (backend.failure !== undefined) throw backend.failure;
    const found = items.flatMap(({ key }) => backend.items.get(key) ?? []);
    return { items: found, ...(backend.epoch === undefined ? {} : { epoch: backend.epoch }) };
  });
  return running;
}

async function watch(running: RunningHub, keys: readonly string[], channel = 'poll:a') {
  const client = running.client();
  const subscription = client.newSharedPollSubscription(channel, {
    getSignature: async (context) => ({
      keys: context.keys,
      signature: sign(channel, context.keys),
    }),
  });
  const updates: [string, unknown, number | undefined][] = [];
  subscription.on('update', (context: SharedPollUpdateContext) => {
    const value: unknown = context.removed ? 'removed' : context.data;
    updates.push([context.key, value, context.version]);
  });
  subscription.on('error', () => {});
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  subscription.track([...keys]);
  return { client, subscription, updates };
}

test('tracked keys arrive at once, then when they change, and not otherwise', async () => {
  const backend = new Backend();
  backend.set('x', { price: 1 });
  await using running = await startPolling(backend);
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toEqual([['x', { price: 1 }, 1]]));
  const polls = backend.asked.length;
  await vi.waitFor(() => expect(backend.asked.length).toBeGreaterThan(polls + 2));
  expect(updates).toHaveLength(1);
  backend.set('x', { price: 2 }, 2);
  await vi.waitFor(() => expect(updates).toHaveLength(2));
  expect(updates[1]).toEqual(['x', { price: 2 }, 2]);
});

test('one poll serves every client', async () => {
  const backend = new Backend();
  backend.set('x', 1);
  await using running = await startPolling(backend);
  const watchers = await Promise.all(Array.from({ length: 5 }, () => watch(running, ['x'])));
  await vi.waitFor(() => {
    for (const { updates } of watchers) expect(updates).toEqual([['x', 1, 1]]);
  });
  backend.set('x', 2, 2);
  await vi.waitFor(() => {
    for (const { updates } of watchers) expect(updates).toHaveLength(2);
  });
  for (const keys of backend.asked) expect(keys).toEqual(['x']);
});

test('without versions the content decides', async () => {
  const backend = new Backend();
  backend.set('x', { a: 1 });
  await using running = await startPolling(backend, { mode: 'versionless' });
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  backend.set('x', { a: 2 });
  await vi.waitFor(() => expect(updates.map(([, value]) => value)).toEqual([{ a: 1 }, { a: 2 }]));
  const versions = updates.map(([, , version]) => version ?? 0);
  expect(versions[1]).toBeGreaterThan(versions[0] ?? Infinity);
});

test('a removed key is removed', async () => {
  const backend = new Backend();
  backend.set('x', 1);
  await using running = await startPolling(backend);
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  backend.items.set('x', { key: 'x', removed: true });
  await vi.waitFor(() => expect(updates[1]?.[1]).toBe('removed'));
});

test('untracked keys are asked for no more', async () => {
  const backend = new Backend();
  backend.set('x', 1);
  backend.set('y', 1);
  await using running = await startPolling(backend);
  const { subscription, updates } = await watch(running, ['x', 'y']);
  await vi.waitFor(() => expect(updates).toHaveLength(2));
  subscription.untrack(['x']);
  await vi.waitFor(() => expect(backend.asked.at(-1)).toEqual(['y']));
  backend.set('x', 2, 2);
  backend.set('y', 2, 2);
  await vi.waitFor(() => expect(updates).toHaveLength(3));
  expect(updates[2]).toEqual(['y', 2, 2]);
});

test('after a reconnect only what is newer is sent', async () => {
  const backend = new Backend();
  backend.set('x', 1, 1);
  await using running = await startPolling(backend);
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  running.cutConnections();
  backend.set('x', 2, 2);
  await vi.waitFor(() => expect(updates).toHaveLength(2));
  expect(updates[1]).toEqual(['x', 2, 2]);
});

test('a published version does not wait for the poll, and an old one is ignored', async () => {
  const backend = new Backend();
  backend.set('x', 1, 5);
  await using running = await startPolling(backend);
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  await running.hub.publishSharedPoll('poll:a', { key: 'x', data: 'old', version: 4 });
  await running.hub.publishSharedPoll('poll:a', { key: 'x', data: 'new', version: 6 });
  await vi.waitFor(() =>
    expect(updates).toEqual([
      ['x', 1, 5],
      ['x', 'new', 6],
    ]),
  );
});

test('a new epoch of the backend starts everything anew', async () => {
  const backend = new Backend();
  backend.epoch = 'one';
  backend.set('x', 'before', 9);
  await using running = await startPolling(backend);
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  backend.epoch = 'two';
  backend.set('x', 'after', 1);
  await vi.waitFor(() => expect(updates.at(-1)).toEqual(['x', 'after', 1]), { timeout: 60_000 });
});

test('a backend that fails or lies disturbs nobody', async () => {
  const backend = new Backend();
  backend.set('x', 1);
  await using running = await startPolling(backend);
  const { updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  backend.failure = new Error('down');
  const polls = backend.asked.length;
  await vi.waitFor(() => expect(backend.asked.length).toBeGreaterThan(polls + 2));
  backend.failure = undefined;
  backend.items.set('x', { key: 'never asked for', data: bytes(1), version: 1 });
  await vi.waitFor(() => expect(backend.asked.length).toBeGreaterThan(polls + 5));
  backend.set('x', 2, 2);
  await vi.waitFor(() => expect(updates).toHaveLength(2));
});

test('polling ends when nobody is left', async () => {
  const backend = new Backend();
  backend.set('x', 1);
  const clock = new ManualClock(Date.now());
  await using running = await startPolling(backend, { clock });
  const { client, updates } = await watch(running, ['x']);
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  const polls = async (): Promise<number> => {
    const before = backend.asked.length;
    for (let round = 0; round < 30; round += 1) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return backend.asked.length - before;
  };
  expect(await polls()).toBe(30);
  client.disconnect();
  await vi.waitFor(() => expect(running.hub.metrics.clients).toBe(0));
  expect(await polls()).toBe(0);
});

test.each([
  ['a foreign signature', sign('poll:other', ['x']), 103],
  ['no signature', '', 103],
  ['a signature of somebody else', sign('poll:a', ['x'], { user: 'bob' }), 103],
  ['an expired signature', sign('poll:a', ['x'], { ttl: -10 }), 109],
])('%s is refused, and the subscription goes on', async (_, signature, code) => {
  await using running = await startPolling(new Backend());
  await using session = await RawSession.connect(running.url);
  await session.ask({ id: 2, subscribe: { channel: 'poll:a', type: 4 } });
  const reply = await session.ask({
    id: 3,
    sub_refresh: { channel: 'poll:a', type: 1, track: [{ signature, items: [{ key: 'x' }] }] },
  });
  expect(reply.error?.code).toBe(code);
  expect(session.closed).toBeUndefined();
});

test('a connection can track so many keys and no more', async () => {
  await using running = await startPolling(new Backend(), { limit: 2 });
  await using session = await RawSession.connect(running.url);
  await session.ask({ id: 2, subscribe: { channel: 'poll:a', type: 4 } });
  const keys = ['x', 'y', 'z'];
  const track = [{ signature: sign('poll:a', keys), items: keys.map((key) => ({ key })) }];
  const reply = await session.ask({ id: 3, sub_refresh: { channel: 'poll:a', type: 1, track } });
  expect(reply.error?.code).toBe(106);
});

test('the type of a subscription must be that of its namespace', async () => {
  await using running = await startPolling(new Backend());
  await using session = await RawSession.connect(running.url);
  expect(await session.ask({ id: 2, subscribe: { channel: 'poll:a' } })).toMatchObject({
    error: { code: 103 },
  });
  expect(await session.ask({ id: 3, subscribe: { channel: 'plain', type: 4 } })).toMatchObject({
    error: { code: 103 },
  });
});
