import { EventSource } from 'eventsource';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { ClientOptions, MapSubscription, TransportName } from '@holdfast/client';
import { ReplyError } from '@holdfast/protocol';
import { keyedHub as hub, signKeys } from './keyed-hub.ts';
import {
  holderAmong,
  mapsShow,
  type MapTab,
  open,
  openMap,
  openPoll,
  patient,
  pollsShow,
  startBackend,
  type Tab,
  valuesOf,
} from './keyed-tabs.ts';
import { startApp, type RunningApp } from './running-app.ts';

/** Maps, shared polls and state over a shared connection. Its tabs are clients in one process. */

const transports = ['websocket', 'http_stream', 'sse', 'polling'] as const;

const over = ({ url }: RunningApp, transport: TransportName): Partial<ClientOptions> => {
  const base = transport === 'websocket' ? url.replace('http', 'ws') : url;
  return { endpoints: [{ transport, endpoint: `${base}/connection/${transport}` }] };
};

beforeAll(() => {
  vi.stubGlobal('EventSource', EventSource);
});

describe('a map', () => {
  test.each(transports)('over %s, from one holder to the next', async (transport) => {
    await using running = await startApp({ hub });
    const expected: Record<string, number> = {};
    let count = 0;
    const set = async (): Promise<void> => {
      const key = `k${count % 7}`;
      count += 1;
      expected[key] = count;
      await running.hub.publishMap('map:a', { key, data: count });
    };
    await set();
    const tabs: MapTab[] = [];
    for (let n = 0; n < 4; n++) {
      tabs.push(openMap(running, over(running, transport)));
      await mapsShow(tabs, expected);
      await set();
    }
    await mapsShow(tabs, expected);
    expect(running.hub.metrics).toMatchObject({ clients: 1, subscriptions: 1 });
    while (tabs.length > 1) {
      const holder = await holderAmong(tabs);
      tabs.splice(tabs.indexOf(holder), 1);
      holder.client.close();
      for (let n = 0; n < 5; n++) await set();
      await mapsShow(tabs, expected);
    }
    const [last] = tabs;
    // The whole of it came once, every change after that once and in order.
    expect(last!.syncs).toBe(1);
    const values = last!.changes.map(({ entry }) => entry?.value ?? 0);
    expect(values).toEqual(values.toSorted((one, other) => one - other));
    expect(values).toEqual(Array.from(values, (_, index) => values[0]! + index));
    expect(values.at(-1)).toBe(count);
    expect(last!.flickered).toEqual([]);
    last!.map.close();
    await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0), patient);
  });

  test('a tab that was away hears what it missed as changes, and one that comes later has all', async () => {
    await using running = await startApp({ hub });
    await running.hub.publishMap('map:a', { key: 'x', data: 1 });
    const tabs = [openMap(running), openMap(running), openMap(running)];
    await mapsShow(tabs, { x: 1 });
    const holder = await holderAmong(tabs);
    const away = tabs.find((tab) => tab !== holder)!;
    away.signal('suspend');
    await running.hub.publishMap('map:a', { key: 'y', data: 2 });
    await running.hub.removeMapKey('map:a', 'x');
    await mapsShow(
      tabs.filter((tab) => tab !== away),
      { y: 2 },
    );
    away.signal('resume');
    await mapsShow(tabs, { y: 2 });
    // The next holder has no copy of the map until one comes that needs it.
    holder.client.close();
    tabs.splice(tabs.indexOf(holder), 1);
    await holderAmong(tabs);
    tabs.push(openMap(running));
    await mapsShow(tabs, { y: 2 });
    await running.hub.publishMap('map:a', { key: 'z', data: 3 });
    await mapsShow(tabs, { y: 2, z: 3 });
    expect(tabs.map(({ syncs }) => syncs)).toEqual([1, 1, 1]);
    expect(away.changes.map(({ key }) => key)).toEqual(['y', 'x', 'z']);
    expect(running.hub.metrics).toMatchObject({ clients: 1, subscriptions: 1 });
  });

  test('with deltas, which build on values that only one subscription had', async () => {
    const map = { mode: 'recoverable', streamTtlMs: 60_000 } as const;
    const deltas = { allowedDeltaTypes: ['fossil'], deltaPublish: true } as const;
    await using running = await startApp({
      hub: {
        channel: {
          namespaces: [{ name: 'delta', subscriptionType: 'map', ...deltas, map }],
        },
      },
    });
    const large = 'the same again and again '.repeat(40);
    const set = (key: string, n: number) =>
      running.hub.publishMap('delta:a', { key, data: `${large}${n}` });
    await set('x', 0);
    await set('y', 0);
    const shown = (tabs: readonly Tab[], expected: object) =>
      vi.waitFor(() => {
        for (const tab of tabs) expect(valuesOf(maps.get(tab)!)).toEqual(expected);
      }, patient);
    const maps = new Map<Tab, MapSubscription<string>>();
    const openDelta = (): Tab => {
      const tab = open(running);
      maps.set(tab, tab.client.subscribeMap<string>('delta:a', { delta: 'fossil' }));
      return tab;
    };
    const tabs = [openDelta(), openDelta()];
    await shown(tabs, { x: `${large}0`, y: `${large}0` });
    await set('x', 1);
    await shown(tabs, { x: `${large}1`, y: `${large}0` });
    const holder = await holderAmong(tabs);
    holder.client.close();
    const living = tabs.filter((tab) => tab !== holder);
    await set('x', 2);
    await shown(living, { x: `${large}2`, y: `${large}0` });
    // Of this key the next holder's subscription had no change yet.
    await set('y', 3);
    await shown(living, { x: `${large}2`, y: `${large}3` });
    await shown([...living, openDelta()], { x: `${large}2`, y: `${large}3` });
    // What cannot be decoded ends a connection.
    expect(running.hub.metrics.connectionsOpened.counts.get('websocket')).toBe(2);
    expect(running.hub.metrics.bytesSent).toBeLessThan(8 * large.length);
  });

  test('writes from every tab wait for a connection; closing one disturbs no other', async () => {
    await using running = await startApp({ hub });
    const tabs = [openMap(running), openMap(running)];
    const [first, second] = tabs;
    await mapsShow(tabs, {});
    running.cutConnections();
    await Promise.all([first!.map.set('a', 1), second!.map.set('b', 2)]);
    await mapsShow(tabs, { a: 1, b: 2 });
    first!.map.close();
    await second!.map.remove('a');
    await mapsShow([second!], { b: 2 });
    expect(valuesOf(first!.map)).toEqual({ a: 1, b: 2 });
    expect(running.hub.metrics.subscriptions).toBe(1);
    second!.map.close();
    await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0), patient);
  });

  test.each(['own', 'shared'] as const)(
    'that has no positions comes anew after a cut (%s connection)',
    async (connection) => {
      await using running = await startApp({ hub });
      const tabs = connection === 'own' ? [open(running)] : [open(running), open(running)];
      const maps = tabs.map(({ client }) =>
        client.subscribeMap('online:room:1', { of: 'clients' }),
      );
      const sizes = (expected: number) =>
        vi.waitFor(() => {
          for (const { state, entries } of maps) {
            expect({ status: state.status, size: entries.size }).toEqual({
              status: 'subscribed',
              size: expected,
            });
          }
        }, patient);
      await sizes(0);
      let returns = 0;
      const room = tabs[0]!.client.subscribe('room:1', { onSubscribed: () => (returns += 1) });
      await sizes(1);
      running.cutConnections();
      await vi.waitFor(() => expect(returns).toBe(2), patient);
      expect(room.state.status).toBe('subscribed');
      await sizes(1);
      room.close();
      await sizes(0);
    },
  );

  test('with other options, or of another kind, than another tab has is refused', async () => {
    await using running = await startApp({ hub });
    const first = openMap(running);
    await mapsShow([first], {});
    const other = open(running);
    const otherwise = other.client.subscribeMap('map:a', { pageSize: 10 });
    const reason = 'another tab has this channel with other options';
    await vi.waitFor(
      () =>
        expect(otherwise.state).toMatchObject({
          status: 'unsubscribed',
          problem: { message: reason },
        }),
      patient,
    );
    otherwise.close();
    const stream = open(running).client.subscribe('map:a');
    await vi.waitFor(() => expect(stream.state.status).toBe('unsubscribed'), patient);
    expect(() => first.client.subscribe('map:a')).toThrow(
      expect.objectContaining({ code: 'misused' }),
    );
    const impossible = open(running).client.subscribeMap('map:b', {
      delta: 'fossil',
      tagsFilter: { key: 'lang', cmp: 'eq', val: 'de' },
    });
    await vi.waitFor(() => expect(impossible.state.problem?.message).toContain('delta'), patient);
    await first.map.set('still', 1);
    await mapsShow([first], { still: 1 });
  });

  test('that the server refuses ends in every tab, and can be asked for again', async () => {
    await using running = await startApp({ hub });
    let isAllowed = false;
    running.hub.on('subscribing', ({ channel }) => {
      if (channel === 'map:a' && !isAllowed) throw new ReplyError(103, 'permission denied');
      return undefined;
    });
    const tabs = [openMap(running), openMap(running)];
    await vi.waitFor(() => {
      for (const { map } of tabs) {
        expect(map.state).toMatchObject({ status: 'unsubscribed', problem: { code: 103 } });
      }
    }, patient);
    isAllowed = true;
    const again = tabs[0]!.client.subscribeMap('map:a');
    await again.set('x', 1);
    await vi.waitFor(() => expect(valuesOf(again)).toEqual({ x: 1 }), patient);
  });
});

describe('a shared poll', () => {
  test.each(transports)('over %s, from one holder to the next', async (transport) => {
    await using running = await startApp({ hub });
    const backend = startBackend(running);
    backend.set('a', 1);
    backend.set('b', 1);
    backend.set('c', 1);
    const client = over(running, transport);
    const first = openPoll(running, ['a', 'b'], { client });
    await pollsShow([[first, { a: 1, b: 1 }]]);
    const second = openPoll(running, ['b', 'c'], { client });
    const third = openPoll(running, ['b'], { client });
    await pollsShow([
      [first, { a: 1, b: 1 }],
      [second, { b: 1, c: 1 }],
      [third, { b: 1 }],
    ]);
    expect(running.hub.metrics.clients).toBe(1);
    const holder = await holderAmong([first, second, third]);
    holder.client.close();
    backend.set('b', 2);
    const living = [first, second, third].filter((tab) => tab !== holder);
    await vi.waitFor(() => {
      for (const { poll } of living) expect(valuesOf(poll)).toMatchObject({ b: 2 });
    }, patient);
    // Nobody was told again what it knew.
    for (const { changes } of living) {
      expect(changes.filter(([key]) => key === 'b')).toEqual([
        ['b', 1],
        ['b', 2],
      ]);
      expect(changes.filter(([key]) => key !== 'b').length).toBeLessThanOrEqual(1);
    }
  });

  test('each tab has its own keys, and what no tab tracks any more is not asked for', async () => {
    await using running = await startApp({ hub });
    const backend = startBackend(running);
    for (const key of ['a', 'b', 'c']) backend.set(key, 1);
    const first = openPoll(running, ['a', 'b']);
    const second = openPoll(running, ['b']);
    await pollsShow([
      [first, { a: 1, b: 1 }],
      [second, { b: 1 }],
    ]);
    first.poll.untrack(['b']);
    second.poll.track(['c']);
    await pollsShow([
      [first, { a: 1 }],
      [second, { b: 1, c: 1 }],
    ]);
    first.client.close();
    await vi.waitFor(() => expect(backend.asked).toEqual(['b', 'c']), patient);
    backend.set('b', 2);
    await pollsShow([[second, { b: 2, c: 1 }]]);
    expect(second.changes.map(([key]) => key)).toEqual(['b', 'c', 'b']);
    second.poll.close();
    await vi.waitFor(async () => expect((await running.hub.channels()).size).toBe(0), patient);
  });

  test('a tab that cannot sign leaves it to another, and what is not allowed goes', async () => {
    await using running = await startApp({ hub });
    const backend = startBackend(running);
    backend.set('a', 1);
    backend.set('b', 1);
    const broken = openPoll(running, ['a'], {
      sign: () => Promise.reject(new Error('broken')),
    });
    const second = openPoll(running, ['a', 'b'], {
      sign: (keys) => signKeys(keys.filter((key) => key !== 'b')),
    });
    await pollsShow([
      [broken, { a: 1 }],
      [second, { a: 1 }],
    ]);
    expect(broken.signed + second.signed).toBeGreaterThan(1);
    expect(backend.asked).toEqual(['a']);
  });
});

describe('an application that loads its own state', () => {
  test('in every tab: at first, and when the history does not reach back, and nothing twice', async () => {
    await using running = await startApp({
      hub: {
        ...hub,
        channel: {
          withoutNamespace: { historySize: 3, historyTtlMs: 60_000, forceRecovery: true },
        },
      },
    });
    const published: number[] = [];
    const publish = async (): Promise<void> => {
      published.push(published.length);
      await running.hub.publish('news', published.length - 1);
    };
    const openStateful = () => {
      const tab = { ...open(running), shown: [] as unknown[], loads: 0, fails: 0 };
      const subscription = tab.client.subscribe('news', {
        getState: async () => {
          tab.loads += 1;
          if (tab.fails > 0) {
            tab.fails -= 1;
            throw new Error('the backend is away');
          }
          const { position } = await running.hub.history('news', { limit: 0 });
          tab.shown = published.slice(0, position.offset);
          return position;
        },
        onPublication: ({ data }) => tab.shown.push(data),
      });
      return Object.assign(tab, { subscription });
    };
    const shown = (tabs: readonly { readonly shown: readonly unknown[] }[]) =>
      vi.waitFor(() => {
        for (const tab of tabs) expect(tab.shown).toEqual(published);
      }, patient);
    for (let n = 0; n < 5; n++) await publish();
    const tabs = [openStateful(), openStateful(), openStateful()];
    await shown(tabs);
    await vi.waitFor(() => {
      for (const { subscription } of tabs) expect(subscription.state.status).toBe('subscribed');
    }, patient);
    await publish();
    await shown(tabs);
    expect(tabs.map(({ loads }) => loads)).toEqual([1, 1, 1]);
    // What the history has is recovered.
    const holder = await holderAmong(tabs);
    holder.client.close();
    tabs.splice(tabs.indexOf(holder), 1);
    await publish();
    await shown(tabs);
    expect(tabs.map(({ loads }) => loads)).toEqual([1, 1]);
    // What it has no more is loaded, by that tab alone, though it takes two attempts.
    const next = await holderAmong(tabs);
    const away = tabs.find((tab) => tab !== next)!;
    away.signal('suspend');
    for (let n = 0; n < 5; n++) await publish();
    await shown([next]);
    away.fails = 1;
    away.signal('resume');
    await shown(tabs);
    for (let n = 0; n < 2; n++) await publish();
    await shown(tabs);
    expect({ next: next.loads, away: away.loads }).toEqual({ next: 1, away: 3 });
    expect(away.subscription.state).toMatchObject({ status: 'subscribed', recovered: true });
    expect(running.hub.metrics).toMatchObject({ clients: 1, subscriptions: 1 });
  });
});

test('a channel without positions takes the state as it was loaded, and anew after a cut', async () => {
  await using running = await startApp({ hub });
  let loads = 0;
  const received: unknown[] = [];
  const room = open(running).client.subscribe('room:1', {
    getState: async () => {
      loads += 1;
      return { offset: 0, epoch: '' };
    },
    onPublication: ({ data }) => received.push(data),
  });
  await vi.waitFor(() => expect(room.state.status).toBe('subscribed'), patient);
  await running.hub.publish('room:1', 1);
  await vi.waitFor(() => expect(received).toEqual([1]), patient);
  expect(loads).toBe(1);
  running.cutConnections();
  await vi.waitFor(() => expect(loads).toBe(2), patient);
  await vi.waitFor(() => expect(room.state.status).toBe('subscribed'), patient);
  await running.hub.publish('room:1', 2);
  await vi.waitFor(() => expect(received).toEqual([1, 2]), patient);
  expect(loads).toBe(2);
});
