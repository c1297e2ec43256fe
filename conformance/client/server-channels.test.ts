import { EventSource } from 'eventsource';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type Client,
  createClient,
  createEnvironment,
  type EnvironmentSignal,
  type TransportName,
} from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';
import type { RunningApp } from './running-app.ts';
import { startTokenApp, tokenOf as makeToken } from './token-app.ts';

/** Channels that the server subscribes to. Clients that share a connection are tabs, in one process. */

const patient = { timeout: 60_000, interval: 10 };
const quick = { minDelayMs: 10, maxDelayMs: 50, stableMs: 10_000 };

const tokenOf = (sub: string, channels: readonly string[] = ['updates']) =>
  makeToken(sub, { channels });

interface Tab {
  readonly client: Client;
  readonly received: unknown[];
  /** What the tab was told of its channels. */
  readonly told: unknown[];
  signal(signal: EnvironmentSignal): void;
}

interface TabOptions {
  readonly getToken?: () => Promise<string>;
  readonly transport?: TransportName;
  readonly isShared?: boolean;
}

function open({ url }: RunningApp, options: TabOptions = {}): Tab {
  const { getToken, transport = 'websocket', isShared = true } = options;
  const received: unknown[] = [];
  const told: unknown[] = [];
  const listeners = new Set<(signal: EnvironmentSignal) => void>();
  const base = transport === 'websocket' ? url.replace('http', 'ws') : url;
  const client = (isShared ? createSharedClient : createClient)({
    url,
    endpoints: [{ transport, endpoint: `${base}/connection/${transport}` }],
    getToken: getToken ?? (async () => tokenOf('ann')),
    backoff: quick,
    environment: {
      ...createEnvironment(),
      onSignal: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    onServerPublication: ({ data }) => received.push(data),
    onServerSubscription: (channel, { status, recovered }) =>
      told.push(recovered === undefined ? [channel, status] : [channel, status, recovered]),
  });
  onTestFinished(() => client.close());
  client.connect();
  return {
    client,
    received,
    told,
    signal: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}

const subscribed = (...tabs: readonly Tab[]) =>
  vi.waitFor(() => {
    for (const { told } of tabs) expect(told.at(-1)).toContain('subscribed');
  }, patient);

async function openTabs(running: RunningApp, count: number, options?: TabOptions) {
  const tabs: Tab[] = [];
  for (let n = 0; n < count; n++) {
    tabs.push(open(running, options));
    await subscribed(...tabs);
  }
  return tabs;
}

async function publish({ hub }: RunningApp, sent: unknown[], count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    sent.push(sent.length);
    await hub.publish('updates', sent.length - 1);
  }
}

const received = (tabs: readonly Tab[], expected: readonly unknown[]) =>
  vi.waitFor(() => {
    for (const tab of tabs) expect(tab.received).toEqual(expected);
  }, patient);

beforeAll(() => {
  vi.stubGlobal('EventSource', EventSource);
});

describe('from one holder of the connection to the next', () => {
  test.each(['websocket', 'http_stream', 'sse', 'polling'] as const)(
    'over %s, each tab hears each message once and in order',
    async (transport) => {
      await using running = await startTokenApp();
      const tabs = await openTabs(running, 4, { transport });
      const sent: unknown[] = [];
      await publish(running, sent, 5);
      await received(tabs, sent);
      while (tabs.length > 1) {
        const holder = tabs.findIndex(({ client }) => client.state.heldBy === 'this_page');
        tabs.splice(holder, 1)[0]!.client.close();
        await publish(running, sent, 5);
        await received(tabs, sent);
      }
      expect(tabs[0]!.told.filter((one) => (one as unknown[])[2] === false)).toEqual([]);
      expect(running.hub.metrics.clients).toBe(1);
    },
  );

  test('a channel that the server has ended meanwhile is ended for all', async () => {
    await using running = await startTokenApp();
    let channels = ['updates', 'news'];
    const getToken = async () => tokenOf('ann', channels);
    const [first, second] = await openTabs(running, 2, { getToken });
    channels = ['news'];
    first!.client.close();
    await vi.waitFor(() => {
      expect(second!.told).toContainEqual(['updates', 'unsubscribed']);
      expect(second!.told).toContainEqual(['news', 'subscribed', true]);
    }, patient);
  });

  test('goes on with the newest token, whichever tab gave it', async () => {
    await using running = await startTokenApp();
    const [first, second] = await openTabs(running, 2);
    second!.client.setToken(tokenOf('bob'));
    await vi.waitFor(async () => expect(await users(running)).toEqual(['bob']), patient);
    first!.client.close();
    await vi.waitFor(() => expect(second!.client.state.heldBy).toBe('this_page'), patient);
    await subscribed(second!);
    expect(await users(running)).toEqual(['bob']);
  });
});

describe('a tab that was away', () => {
  test('hears what it missed, the others hear nothing twice', async () => {
    await using running = await startTokenApp();
    const tabs = await openTabs(running, 3);
    const sent: unknown[] = [];
    await publish(running, sent, 3);
    await received(tabs, sent);
    const away = tabs.find(({ client }) => client.state.heldBy === 'elsewhere')!;
    away.signal('suspend');
    await publish(running, sent, 3);
    await received(
      tabs.filter((tab) => tab !== away),
      sent,
    );
    away.signal('resume');
    await received(tabs, sent);
    await publish(running, sent, 3);
    await received(tabs, sent);
    expect(running.hub.metrics.clients).toBe(1);
    expect(away.told.at(-1)).toEqual(['updates', 'subscribed', true]);
  });

  test('for longer than the history reaches back is told so, and nobody else is disturbed', async () => {
    await using running = await startTokenApp({ historySize: 3 });
    const tabs = await openTabs(running, 3);
    const away = tabs.find(({ client }) => client.state.heldBy === 'elsewhere')!;
    const others = tabs.filter((tab) => tab !== away);
    const sent: unknown[] = [];
    away.signal('suspend');
    await publish(running, sent, 10);
    await received(others, sent);
    away.signal('resume');
    await vi.waitFor(
      () => expect(away.told.at(-1)).toEqual(['updates', 'subscribed', false]),
      patient,
    );
    await publish(running, sent, 1);
    await received(others, sent);
    expect(away.received).toEqual([10]);
    for (const { told } of others)
      expect(told).not.toContainEqual(['updates', 'subscribed', false]);
  });

  test('and missed nothing makes no connection begin anew', async () => {
    await using running = await startTokenApp();
    const tabs = await openTabs(running, 2);
    const away = tabs.find(({ client }) => client.state.heldBy === 'elsewhere')!;
    const before = running.hub.metrics.connectionsOpened.counts.get('websocket');
    away.signal('suspend');
    away.signal('resume');
    await vi.waitFor(
      () => expect(away.told.at(-1)).toEqual(['updates', 'subscribed', true]),
      patient,
    );
    expect(running.hub.metrics.connectionsOpened.counts.get('websocket')).toBe(before);
  });
});

const users = async ({ hub }: RunningApp) =>
  (await hub.connections()).connections.map(({ user }) => user);

describe('another user', () => {
  test.each([
    ['with a connection of its own', false],
    ['with a shared connection', true],
  ])('%s: asks for nothing that the one before had', async (_what, isShared) => {
    await using running = await startTokenApp();
    const [tab] = await openTabs(running, 1, { isShared });
    const sent: unknown[] = [];
    await publish(running, sent, 1);
    await received([tab!], sent);
    tab!.client.setToken(tokenOf('ann'));
    await vi.waitFor(
      () => expect(tab!.told.at(-1)).toEqual(['updates', 'subscribed', true]),
      patient,
    );
    const recoveries = () => Object.fromEntries(running.hub.metrics.recoveries.counts);
    const before = recoveries();
    expect(before).toMatchObject({ yes: 1 });
    tab!.told.length = 0;
    tab!.client.setToken(tokenOf('bob'));
    await vi.waitFor(async () => expect(await users(running)).toEqual(['bob']), patient);
    await subscribed(tab!);
    expect(tab!.told).toEqual([
      ['updates', 'subscribing', true],
      ['updates', 'unsubscribed', true],
      ['updates', 'subscribed'],
    ]);
    expect(recoveries()).toEqual(before);
  });

  test('gets nothing of a tab that slept through the change', async () => {
    await using running = await startTokenApp();
    const tabs = await openTabs(running, 2);
    const away = tabs.find(({ client }) => client.state.heldBy === 'elsewhere')!;
    const other = tabs.find((tab) => tab !== away)!;
    const sent: unknown[] = [];
    away.signal('suspend');
    await publish(running, sent, 3);
    await received([other], sent);
    other.client.setToken(tokenOf('bob'));
    await vi.waitFor(async () => expect(await users(running)).toEqual(['bob']), patient);
    await subscribed(other);
    away.told.length = 0;
    away.signal('resume');
    await vi.waitFor(
      () =>
        expect(away.told).toEqual([
          ['updates', 'unsubscribed'],
          ['updates', 'subscribed'],
        ]),
      patient,
    );
    await publish(running, sent, 1);
    await received([other], sent);
    expect(away.received).toEqual([3]);
  });
});

test('the map of channels is a new one after a change of it, and not after each message', async () => {
  await using running = await startTokenApp({
    hub: { channel: { namespaces: [{ name: 'plain' }] } },
  });
  const { client, received: data } = open(running, {
    isShared: false,
    getToken: async () => tokenOf('ann', ['plain:a']),
  });
  await vi.waitFor(
    () => expect(client.serverChannels.get('plain:a')?.status).toBe('subscribed'),
    patient,
  );
  const channels = client.serverChannels;
  await running.hub.publish('plain:a', 1);
  await vi.waitFor(() => expect(data).toEqual([1]), patient);
  expect(client.serverChannels).toBe(channels);
  await running.hub.unsubscribe({ user: 'ann' }, 'plain:a');
  await vi.waitFor(() => expect(client.serverChannels.size).toBe(0), patient);
  expect(channels.size).toBe(1);
});
