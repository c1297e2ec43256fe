import { expect, onTestFinished, test, vi } from 'vitest';
import { type Client, type ClientOptions, createClient, type PollOptions } from '@holdfast/client';
import { keyedHub as hub, signKeys } from './keyed-hub.ts';
import { startApp, type RunningApp } from './running-app.ts';

const patient = { timeout: 60_000, interval: 20 };

function connect({ url }: RunningApp, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url,
    backoff: { minDelayMs: 10, maxDelayMs: 50, stableMs: 10_000 },
    ...options,
  });
  onTestFinished(() => client.close());
  client.connect();
  return client;
}

const subscribed = (subscription: { readonly state: { readonly status: string } }) =>
  vi.waitFor(() => expect(subscription.state.status).toBe('subscribed'), patient);

const valuesOf = (entries: ReadonlyMap<string, { readonly value: unknown }>) =>
  Object.fromEntries([...entries].map(([key, { value }]) => [key, value]));

test('a map: all of it, each change, what was missed, and writes that wait for a connection', async () => {
  await using running = await startApp({ hub });
  await running.hub.publishMap('map:a', { key: 'x', data: 1 });
  await running.hub.publishMap('map:a', { key: 'y', data: 2 });
  const client = connect(running);
  const syncs: unknown[] = [];
  const changes: unknown[] = [];
  const map = client.subscribeMap<number>('map:a', {
    onSync: (entries) => syncs.push(valuesOf(entries)),
    onChange: ({ key, entry }) => changes.push([key, entry?.value]),
  });
  await subscribed(map);
  const first = map.entries;
  expect(valuesOf(first)).toEqual({ x: 1, y: 2 });
  await running.hub.publishMap('map:a', { key: 'x', data: 10 });
  await running.hub.removeMapKey('map:a', 'y');
  await vi.waitFor(() => expect(valuesOf(map.entries)).toEqual({ x: 10 }), patient);
  expect(valuesOf(first)).toEqual({ x: 1, y: 2 });
  running.cutConnections();
  const waiting = map.set('z', 3);
  await running.hub.publishMap('map:a', { key: 'w', data: 4 });
  await waiting;
  await vi.waitFor(() => expect(valuesOf(map.entries)).toEqual({ x: 10, w: 4, z: 3 }), patient);
  await map.remove('w');
  await vi.waitFor(() => expect(valuesOf(map.entries)).toEqual({ x: 10, z: 3 }), patient);
  // The whole map came once: what was missed came as changes.
  expect(syncs).toEqual([{ x: 1, y: 2 }]);
  expect(changes).toContainEqual(['y', undefined]);
  // Another use of it has everything at once, and shares the subscription.
  const later: unknown[] = [];
  const second = client.subscribeMap<number>('map:a', {
    onSync: (entries) => later.push(valuesOf(entries)),
  });
  expect(valuesOf(second.entries)).toEqual({ x: 10, z: 3 });
  await vi.waitFor(() => expect(later).toEqual([{ x: 10, z: 3 }]), patient);
  expect(() => client.subscribeMap('map:a', { of: 'clients' })).toThrow('other options');
  map.close();
  await second.set('x', 11);
  await vi.waitFor(() => expect(valuesOf(second.entries)).toEqual({ x: 11, z: 3 }), patient);
  expect(valuesOf(map.entries)).toEqual({ x: 10, z: 3 });
  expect(running.hub.metrics.subscriptions).toBe(1);
  second.close();
  await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0), patient);
  await expect(map.set('x', 1)).rejects.toMatchObject({ code: 'misused' });
});

test('who is subscribed, as a map', async () => {
  await using running = await startApp({ hub });
  const client = connect(running);
  const online = client.subscribeMap('online:room:1', { of: 'clients' });
  await subscribed(online);
  const other = connect(running);
  const room = other.subscribe('room:1');
  await vi.waitFor(() => expect(online.entries.size).toBe(1), patient);
  room.close();
  await vi.waitFor(() => expect(online.entries.size).toBe(0), patient);
});

test('a shared poll: tracked keys have their values, through a cut connection', async () => {
  await using running = await startApp({ hub });
  const items = new Map([
    ['a', { key: 'a', data: Buffer.from('1'), version: 1 }],
    ['b', { key: 'b', data: Buffer.from('2'), version: 1 }],
  ]);
  let asked: readonly string[] = [];
  running.hub.on('polling', ({ items: wanted }) => {
    asked = wanted.map(({ key }) => key).toSorted();
    return { items: wanted.flatMap(({ key }) => items.get(key) ?? []) };
  });
  const client = connect(running);
  const signed: (readonly string[])[] = [];
  const options: PollOptions<number> = {
    getSignature: async (keys) => {
      signed.push(keys);
      return signKeys(keys);
    },
  };
  const poll = client.subscribePoll<number>('poll:a', options);
  await subscribed(poll);
  poll.track(['a', 'b']);
  await vi.waitFor(() => expect(valuesOf(poll.entries)).toEqual({ a: 1, b: 2 }), patient);
  running.cutConnections();
  items.set('a', { key: 'a', data: Buffer.from('11'), version: 2 });
  await vi.waitFor(() => expect(valuesOf(poll.entries)).toEqual({ a: 11, b: 2 }), patient);
  expect(signed[0]).toEqual(['a', 'b']);
  // Each use has its own keys; one that nobody tracks any more is not asked for.
  const changes: string[] = [];
  const second = client.subscribePoll<number>('poll:a', {
    ...options,
    onChange: ({ key }) => changes.push(key),
  });
  second.track(['b']);
  expect(valuesOf(second.entries)).toEqual({ b: 2 });
  poll.untrack(['b']);
  expect(valuesOf(poll.entries)).toEqual({ a: 11 });
  items.set('a', { key: 'a', data: Buffer.from('12'), version: 3 });
  items.set('b', { key: 'b', data: Buffer.from('22'), version: 2 });
  await vi.waitFor(() => expect(valuesOf(second.entries)).toEqual({ b: 22 }), patient);
  await vi.waitFor(() => expect(valuesOf(poll.entries)).toEqual({ a: 12 }), patient);
  expect(changes).toEqual(['b']);
  poll.close();
  await vi.waitFor(() => expect(asked).toEqual(['b']), patient);
  second.close();
});

test('deltas, tags filters, and an application that loads its own state', async () => {
  await using running = await startApp({ hub });
  const client = connect(running);
  const received: unknown[] = [];
  const large = (n: number) => ({ text: 'the same again and again '.repeat(40), n });
  const subscription = client.subscribe('news', {
    delta: 'fossil',
    onPublication: ({ data }) => received.push(data),
  });
  await subscribed(subscription);
  for (const n of [1, 2, 3]) await running.hub.publish('news', large(n), { delta: true });
  await vi.waitFor(() => expect(received).toEqual([1, 2, 3].map(large)), patient);
  const sentBytes = running.hub.metrics.bytesSent;
  expect(sentBytes).toBeLessThan(3 * 1_000);

  const filtered: unknown[] = [];
  const tagged = client.subscribe('tagged:a', {
    tagsFilter: { key: 'lang', cmp: 'eq', val: 'de' },
    onPublication: ({ data }) => filtered.push(data),
  });
  await subscribed(tagged);
  await running.hub.publish('tagged:a', 'no', { tags: { lang: 'en' } });
  await running.hub.publish('tagged:a', 'ja', { tags: { lang: 'de' } });
  await vi.waitFor(() => expect(filtered).toEqual(['ja']), patient);

  await running.hub.publish('own', 1);
  const { position } = await running.hub.history('own', { limit: 0 });
  await running.hub.publish('own', 2);
  const own: unknown[] = [];
  const loads = vi.fn<() => Promise<typeof position>>(async () => position);
  const state = client.subscribe('own', {
    getState: loads,
    onPublication: ({ data }) => own.push(data),
  });
  await subscribed(state);
  await vi.waitFor(() => expect(own).toEqual([2]), patient);
  expect(loads).toHaveBeenCalledTimes(1);
});
