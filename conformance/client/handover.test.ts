import { expect, onTestFinished, test, vi } from 'vitest';
import { holderAmong, open, patient } from './keyed-tabs.ts';
import { startApp } from './running-app.ts';
import { startTokenApp, tokenOf } from './token-app.ts';

const mapRules = {
  subscriptionType: 'map',
  map: { mode: 'recoverable', streamTtlMs: 60_000 },
  allowSubscribeForClient: true,
} as const;

/** From one holder of a shared connection to the next. Its tabs are clients in one process. */

test('while nobody holds the connection no channel is subscribed', async () => {
  await using running = await startTokenApp({
    hub: { channel: { namespaces: [{ name: 'map', ...mapRules }] } },
  });
  const token = tokenOf('ann', { channels: ['updates'] });
  const tabs = [open(running, { token }), open(running, { token })];
  const holder = await holderAmong(tabs);
  const other = tabs.find((tab) => tab !== holder)!;
  const { client } = other;
  const stream = client.subscribe('news');
  const map = client.subscribeMap('map:a');
  const statuses = () =>
    [stream.state, map.state, client.serverChannels.get('updates')].map((state) => state?.status);
  const all = (status: string) =>
    vi.waitFor(() => expect(statuses()).toEqual([status, status, status]), patient);
  await all('subscribed');
  other.signal('suspend');
  expect(statuses()).toEqual(['subscribing', 'subscribing', 'subscribing']);
  other.signal('resume');
  await all('subscribed');
});

test('a clock that was set back does not keep the tabs from following the next holder', async () => {
  await using running = await startApp();
  const tabs = [open(running), open(running), open(running)];
  const holder = await holderAmong(tabs);
  const received: unknown[] = [];
  const living = tabs.filter((tab) => tab !== holder);
  for (const { client } of living) {
    client.subscribe('news', { onPublication: ({ data }) => received.push(data) });
  }
  const now = Date.now.bind(Date);
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
  onTestFinished(() => clock.mockRestore());
  holder.client.close();
  await holderAmong(living);
  await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(1), patient);
  await running.hub.publish('news', 1);
  await vi.waitFor(() => expect(received).toEqual([1, 1]), patient);
});

test('a token that is set while nobody holds the connection is that of the next one', async () => {
  await using running = await startTokenApp();
  const tabs = Array.from({ length: 3 }, () => open(running, { token: tokenOf('ann') }));
  const users = (expected: readonly string[]) =>
    vi.waitFor(async () => {
      const { connections } = await running.hub.connections();
      expect(connections.map(({ user }) => user)).toEqual(expected);
    }, patient);
  await users(['ann']);
  const holder = await holderAmong(tabs);
  const [next, last] = tabs.filter((tab) => tab !== holder);
  holder.client.close();
  last!.client.setToken(tokenOf('bob'));
  await holderAmong([next!, last!]);
  await users(['bob']);
});
