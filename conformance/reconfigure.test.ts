import { expect, test, vi } from 'vitest';
import { startHub } from './running-hub.ts';

test('other namespaces and limits hold for what comes, and who is there stays', async () => {
  const chat = { name: 'chat', presence: true };
  await using running = await startHub({ channel: { namespaces: [chat] } });
  const { hub } = running;
  const client = running.client();
  const received: unknown[] = [];
  const ends: string[] = [];
  client.on('connecting', ({ reason }) => ends.push(reason));
  const old = client.newSubscription('chat:1');
  old.on('publication', ({ data }) => received.push(data));
  old.on('unsubscribed', ({ reason }) => ends.push(reason));
  old.subscribe();
  client.connect();
  await old.ready(60_000);
  await hub.publish('chat:1', 'before');

  const limits = {
    allowedOrigins: [],
    connectionLimit: 1,
    connectionRateLimit: 0,
    userConnectionLimit: 0,
  };
  const history = { historySize: 5, historyTtlMs: 60_000 };
  const news = { name: 'news', ...history };
  hub.reconfigure({
    channel: { withoutNamespace: {}, namespaces: [{ ...chat, ...history }, news] },
    client: limits,
  });
  await hub.publish('chat:1', 'with history');
  expect((await hub.history('chat:1', { limit: -1 })).publications).toHaveLength(1);
  const fresh = client.newSubscription('news:1');
  fresh.subscribe();
  await fresh.ready(60_000);
  // The one connection that is allowed is there.
  const response = await fetch(running.at('/connection/http_stream'), {
    method: 'POST',
    body: '{}',
  });
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { error: { code: 'connection_limit' } },
  ]);

  hub.reconfigure({ channel: { withoutNamespace: {}, namespaces: [news] }, client: limits });
  await expect(hub.publish('chat:1', 'gone')).rejects.toMatchObject({ code: 102 });
  await vi.waitFor(() => expect(received).toEqual(['before', 'with history']));
  old.unsubscribe();
  expect(ends).toEqual(['connect called', 'unsubscribe called']);
  client.disconnect();
  await vi.waitFor(() => {
    const { connections, subscriptions, channels } = hub.metrics;
    expect([connections, subscriptions, channels]).toEqual([0, 0, 0]);
  });
});
