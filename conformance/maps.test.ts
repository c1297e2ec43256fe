import type { GivenChannelOptions, MapOptions } from '@holdfast/hub';
import type { Centrifuge, MapSubscription, MapUpdateContext } from 'centrifuge';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { type RunningHub, startHub } from './running-hub.ts';

function startMaps(map: Partial<MapOptions>, more: GivenChannelOptions = {}): Promise<RunningHub> {
  return startHub({
    channel: {
      namespaces: [
        { name: 'map', subscriptionType: 'map', map, ...more },
        { name: 'online', subscriptionType: 'map_clients', map: { mode: 'ephemeral' } },
        { name: 'users', subscriptionType: 'map_users', map: { mode: 'ephemeral' } },
      ],
    },
  });
}

/** What an application that keeps the map sees. */
interface View {
  readonly client: Centrifuge;
  readonly subscription: MapSubscription;
  readonly state: Map<string, unknown>;
  readonly syncs: number[];
  readonly updates: MapUpdateContext[];
}

async function view(
  running: RunningHub,
  options: Parameters<Centrifuge['newMapSubscription']>[1] = {},
  channel = 'map:a',
): Promise<View> {
  const client = running.client();
  const subscription = client.newMapSubscription(channel, {
    minResubscribeDelay: 10,
    maxResubscribeDelay: 30,
    ...options,
  });
  const state = new Map<string, unknown>();
  const syncs: number[] = [];
  const updates: MapUpdateContext[] = [];
  subscription.on('sync', ({ entries }) => {
    state.clear();
    for (const { key, data } of entries) state.set(key, data);
    syncs.push(entries.length);
  });
  subscription.on('update', (update) => {
    updates.push(update);
    if (update.removed === true) state.delete(update.key);
    else state.set(update.key, update.data);
  });
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  return { client, subscription, state, syncs, updates };
}

describe.each(['ephemeral', 'recoverable', 'persistent'] as const)('%s', (mode) => {
  test('state first, then every change', async () => {
    await using running = await startMaps({ mode });
    await running.hub.publishMap('map:a', { key: 'x', data: 1 });
    await running.hub.publishMap('map:a', { key: 'y', data: 2 });
    const { state, subscription } = await view(running);
    expect(Object.fromEntries(state)).toEqual({ x: 1, y: 2 });
    await running.hub.publishMap('map:a', { key: 'x', data: 10 });
    await running.hub.removeMapKey('map:a', 'y');
    await subscription.publish('z', 3);
    await vi.waitFor(() => expect(Object.fromEntries(state)).toEqual({ x: 10, z: 3 }));
    await subscription.remove('z');
    await vi.waitFor(() => expect(Object.fromEntries(state)).toEqual({ x: 10 }));
  });

  test('a state of many pages arrives whole while it changes', async () => {
    await using running = await startMaps({ mode, minPageSize: 1, streamSize: 1000 });
    const expected = new Map<string, number>();
    for (let index = 0; index < 300; index += 1) {
      await running.hub.publishMap('map:a', { key: `k${index}`, data: index });
      expected.set(`k${index}`, index);
    }
    const watching = view(running, { pageSize: 20 });
    for (let index = 0; index < 200; index += 1) {
      const key = `k${(index * 7) % 350}`;
      await running.hub.publishMap('map:a', { key, data: -index });
      expected.set(key, -index);
      if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const { state } = await watching;
    await vi.waitFor(() => {
      expect(state.size).toBe(expected.size);
      for (const [key, value] of expected) expect(state.get(key)).toBe(value);
    });
  });
});

test('a client that comes back gets what it missed, and no second sync', async () => {
  await using running = await startMaps({ mode: 'persistent' });
  await running.hub.publishMap('map:a', { key: 'x', data: 1 });
  const { state, syncs } = await view(running);
  running.cutConnections();
  await running.hub.publishMap('map:a', { key: 'x', data: 2 });
  await running.hub.publishMap('map:a', { key: 'y', data: 3 });
  await running.hub.removeMapKey('map:a', 'x');
  await vi.waitFor(() => expect(Object.fromEntries(state)).toEqual({ y: 3 }));
  expect(syncs).toHaveLength(1);
});

test('a client that missed too much begins again', async () => {
  await using running = await startMaps({ mode: 'persistent', streamSize: 2 });
  const { state, syncs } = await view(running);
  running.cutConnections();
  for (let index = 0; index < 6; index += 1) {
    await running.hub.publishMap('map:a', { key: `k${index}`, data: index });
  }
  await vi.waitFor(() => expect(state.size).toBe(6));
  expect(syncs.length).toBe(2);
});

test('or ends, when its application wants that', async () => {
  await using running = await startMaps({ mode: 'persistent', streamSize: 2 });
  const { subscription } = await view(running, { unrecoverableStrategy: 'fatal' });
  const ends: number[] = [];
  subscription.on('unsubscribed', ({ code }) => ends.push(code));
  running.cutConnections();
  for (let index = 0; index < 6; index += 1) {
    await running.hub.publishMap('map:a', { key: `k${index}`, data: index });
  }
  await vi.waitFor(() => expect(ends).toEqual([112]));
});

test('keys go when their time is over, also for those who watch', async () => {
  await using running = await startMaps({ mode: 'ephemeral', keyTtlMs: 300 });
  const { state, updates } = await view(running);
  await running.hub.publishMap('map:a', { key: 'x', data: 1 });
  // Both may have come before anybody looks.
  await vi.waitFor(() =>
    expect(updates).toMatchObject([
      { key: 'x', data: 1 },
      { key: 'x', removed: true },
    ]),
  );
  expect(state.size).toBe(0);
});

test('a cleared map is empty for everybody', async () => {
  await using running = await startMaps({ mode: 'persistent' });
  await running.hub.publishMap('map:a', { key: 'x', data: 1 });
  const { state } = await view(running);
  expect(state.size).toBe(1);
  await running.hub.clearMap('map:a');
  await vi.waitFor(() => expect(state.size).toBe(0));
});

test('clients write the key that the namespace gives them', async () => {
  await using running = await startMaps({ mode: 'ephemeral', clientKey: 'client_id' });
  const { client, subscription, state } = await view(running);
  await subscription.publish('mine?', 1);
  const session = (client as unknown as { _client: string })._client;
  await vi.waitFor(() => expect([...state.keys()]).toEqual([session]));
});

test('deltas per key, against the state that the client has', async () => {
  const similar = (n: number) => ({
    text: 'a text that hardly changes at all, only its number',
    n,
  });
  await using running = await startMaps(
    { mode: 'persistent' },
    { allowedDeltaTypes: ['fossil'], deltaPublish: true },
  );
  await running.hub.publishMap('map:a', { key: 'x', data: similar(0) });
  await running.hub.publishMap('map:a', { key: 'y', data: similar(100) });
  const { state, subscription } = await view(running, { delta: 'fossil' });
  for (let index = 1; index <= 5; index += 1) {
    await running.hub.publishMap('map:a', { key: 'x', data: similar(index) });
    await running.hub.publishMap('map:a', { key: 'y', data: similar(100 + index) });
  }
  await vi.waitFor(() => expect(state.get('y')).toEqual(similar(105)));
  expect(state.get('x')).toEqual(similar(5));
  expect(subscription).toBeDefined();
  running.cutConnections();
  await running.hub.publishMap('map:a', { key: 'x', data: similar(6) });
  await vi.waitFor(() => expect(state.get('x')).toEqual(similar(6)));
  await running.hub.publishMap('map:a', { key: 'x', data: similar(7) });
  await vi.waitFor(() => expect(state.get('x')).toEqual(similar(7)));
});

test('a tags filter holds for state and changes', async () => {
  await using running = await startMaps({ mode: 'persistent' }, { allowTagsFilter: true });
  const send = (key: string, color: string) =>
    running.hub.publishMap('map:a', { key, data: color, tags: { color } });
  await send('a', 'red');
  await send('b', 'blue');
  const { state } = await view(running, {
    tagsFilter: { key: 'color', cmp: 'eq', val: 'red' },
  });
  expect([...state.keys()]).toEqual(['a']);
  await send('c', 'blue');
  await send('d', 'red');
  await vi.waitFor(() => expect([...state.keys()]).toEqual(['a', 'd']));
});

test('who is in a channel can be watched as a map', async () => {
  await using running = await startMaps(
    { mode: 'ephemeral' },
    { mapClientsPresenceChannelPrefix: 'online:', mapUsersPresenceChannelPrefix: 'users:' },
  );
  const watcher = running.client();
  const presence = watcher.newMapClientsSubscription('online:map:a');
  const present = new Set<string>();
  presence.on('update', ({ key, removed }) => {
    if (removed === true) present.delete(key);
    else present.add(key);
  });
  presence.subscribe();
  watcher.connect();
  await presence.ready(60_000);
  const first = await view(running);
  const second = await view(running);
  await vi.waitFor(() => expect(present.size).toBe(2));
  first.subscription.unsubscribe();
  await vi.waitFor(() => expect(present.size).toBe(1));
  second.client.disconnect();
  await vi.waitFor(() => expect(present.size).toBe(0));
});

describe('bad input', () => {
  test('a page of nothing', async () => {
    await using running = await startMaps({ mode: 'persistent' });
    await using session = await RawSession.connect(running.url);
    const subscribe = { channel: 'map:a', type: 1 };
    expect(
      await session.ask({ id: 2, subscribe: { ...subscribe, phase: 1, offset: 3, epoch: 'x' } }),
    ).toMatchObject({ error: { code: 103 } });
    expect(
      await session.ask({ id: 3, subscribe: { ...subscribe, phase: 2, cursor: 'invented' } }),
    ).toMatchObject({ error: { code: 107 } });
    expect(running.hub.metrics.subscriptions).toBe(0);
  });

  test('a second beginning while the first is under way', async () => {
    await using running = await startMaps({ mode: 'persistent', minPageSize: 1 });
    for (const key of ['a', 'b', 'c']) await running.hub.publishMap('map:a', { key, data: 1 });
    await using session = await RawSession.connect(running.url);
    const subscribe = { channel: 'map:a', type: 1, phase: 2, limit: 1 };
    const first = await session.ask({ id: 2, subscribe });
    expect(first.subscribe?.cursor).not.toBe('');
    expect(await session.ask({ id: 3, subscribe })).toMatchObject({ error: { code: 113 } });
  });

  test('a client that begins and never gets done is cut', async () => {
    await using running = await startMaps({
      mode: 'persistent',
      minPageSize: 1,
      subscribeCatchUpTimeoutMs: 100,
    });
    for (const key of ['a', 'b', 'c']) await running.hub.publishMap('map:a', { key, data: 1 });
    await using session = await RawSession.connect(running.url);
    await session.ask({ id: 2, subscribe: { channel: 'map:a', type: 1, phase: 2, limit: 1 } });
    expect(await session.waitForClose()).toMatchObject({ code: 3008 });
  });

  test('streams into maps and maps into streams', async () => {
    await using running = await startMaps({ mode: 'persistent' });
    await using session = await RawSession.connect(running.url);
    const data = Buffer.from('1');
    expect(await session.ask({ id: 2, publish: { channel: 'map:a', data } })).toMatchObject({
      error: { code: 107 },
    });
    expect(
      await session.ask({ id: 3, publish: { channel: 'plain', type: 1, key: 'x', data } }),
    ).toMatchObject({ error: { code: 107 } });
    await expect(running.hub.publish('map:a', 1)).rejects.toMatchObject({ code: 107 });
    await expect(running.hub.publishMap('plain', { key: 'x', data: 1 })).rejects.toMatchObject({
      code: 107,
    });
  });
});
