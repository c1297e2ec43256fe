import { expect, test, vi } from 'vitest';
import { startHub } from './running-hub.ts';

const withoutNamespace = { historySize: 300, historyTtlMs: 60_000, forceRecovery: true };

test('a client that missed several megabytes in many channels gets all of it, in one go', async () => {
  await using running = await startHub({ channel: { withoutNamespace } });
  const channels = Array.from({ length: 100 }, (_, index) => `c${index}`);
  const received = new Map(channels.map((channel): [string, number[]] => [channel, []]));
  let recovered = 0;
  const client = running.client();
  client.connect();
  for (const channel of channels) {
    const subscription = client.newSubscription(channel);
    subscription.on('publication', ({ offset }) => received.get(channel)?.push(offset ?? 0));
    subscription.on('subscribed', (context) => (recovered += context.recovered ? 1 : 0));
    subscription.subscribe();
    await subscription.ready();
  }
  client.disconnect();
  await vi.waitFor(() => expect(running.hub.metrics.clients).toBe(0));
  const offsets = Array.from({ length: 250 }, (_, index) => index + 1);
  const data = { text: 'x'.repeat(200) };
  for (const _ of offsets) await running.hub.broadcast(channels, data);
  client.connect();
  await vi.waitFor(() => expect(recovered).toBe(channels.length), { timeout: 60_000 });
  for (const channel of channels) expect(received.get(channel)).toEqual(offsets);
  expect([...running.hub.metrics.disconnects.counts]).toEqual([]);
});

test('a client that missed more than fits into one reply is told, and is live again', async () => {
  await using running = await startHub({ channel: { withoutNamespace } });
  const client = running.client();
  const outcomes: boolean[] = [];
  const received: unknown[] = [];
  const subscription = client.newSubscription('news');
  subscription.on('subscribed', ({ recovered }) => outcomes.push(recovered));
  subscription.on('publication', ({ data }) => received.push(data));
  subscription.subscribe();
  client.connect();
  await subscription.ready();
  client.disconnect();
  await vi.waitFor(() => expect(running.hub.metrics.clients).toBe(0));
  for (let count = 0; count < 3; count += 1) {
    await running.hub.publish('news', 'x'.repeat(200_000));
  }
  client.connect();
  await subscription.ready();
  await running.hub.publish('news', 'live');
  await vi.waitFor(() => expect(received).toEqual(['live']));
  expect(outcomes).toEqual([false, false]);
  expect([...running.hub.metrics.disconnects.counts]).toEqual([]);
});

test('history that is larger than a reply comes in pages', async () => {
  await using running = await startHub({
    channel: { withoutNamespace: { ...withoutNamespace, allowHistoryForClient: true } },
  });
  for (let count = 0; count < 5; count += 1) {
    await running.hub.publish('news', 'x'.repeat(200_000));
  }
  const client = running.client();
  client.connect();
  await client.ready();
  const first = await client.history('news', { limit: 5 });
  expect(first.publications.map(({ offset }) => offset)).toEqual([1, 2]);
  const since = { offset: 2, epoch: first.epoch };
  const next = await client.history('news', { limit: 5, since });
  expect(next.publications.map(({ offset }) => offset)).toEqual([3, 4]);
  expect([...running.hub.metrics.disconnects.counts]).toEqual([]);
});

test('a publication that no client could be sent is refused', async () => {
  await using running = await startHub({ channel: { withoutNamespace } });
  await expect(running.hub.publish('news', 'x'.repeat(524_288))).rejects.toMatchObject({
    code: 106,
    message: expect.stringContaining('524288 bytes'),
  });
});

test('several large publications of one tick cut nobody who reads', async () => {
  await using running = await startHub({ channel: { withoutNamespace } });
  const client = running.client();
  const received: number[] = [];
  const subscription = client.newSubscription('news');
  subscription.on('publication', ({ offset }) => received.push(offset ?? 0));
  subscription.subscribe();
  client.connect();
  await subscription.ready();
  const sending = [1, 2, 3, 4].map(() => running.hub.publish('news', 'x'.repeat(400_000)));
  await Promise.all(sending);
  await vi.waitFor(() => expect(received).toEqual([1, 2, 3, 4]));
  expect([...running.hub.metrics.disconnects.counts]).toEqual([]);
});
