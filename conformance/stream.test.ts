import { expect, test, vi } from 'vitest';
import { startHub } from './running-hub.ts';

test('a publication of the server reaches a stock client', async () => {
  await using running = await startHub();
  const client = running.client();
  const subscription = client.newSubscription('news');
  const received: unknown[] = [];
  subscription.on('publication', ({ data }) => received.push(data));
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  await running.hub.publish('news', { text: 'hello' });
  await vi.waitFor(() => expect(received).toEqual([{ text: 'hello' }]));
});

test('a client whose connection is cut misses nothing', async () => {
  await using running = await startHub({
    channel: { withoutNamespace: { historySize: 100, historyTtlMs: 60_000, forceRecovery: true } },
  });
  const client = running.client();
  const subscription = client.newSubscription('news');
  const received: number[] = [];
  subscription.on('publication', ({ data }) => received.push(data as number));
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  await running.hub.publish('news', 1);
  await vi.waitFor(() => expect(received).toEqual([1]));
  running.cutConnections();
  await running.hub.publish('news', 2);
  await running.hub.publish('news', 3);
  await vi.waitFor(() => expect(received).toEqual([1, 2, 3]));
  await running.hub.publish('news', 4);
  await vi.waitFor(() => expect(received).toEqual([1, 2, 3, 4]));
});
