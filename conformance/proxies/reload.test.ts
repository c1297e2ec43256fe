import { proxyConfig } from '@holdfast/server';
import { expect, test, vi } from 'vitest';
import { centrifuge, startProxiedServer } from './proxied-server.ts';
import { startNginx } from './real-proxy.ts';

test('nginx reloaded under load, its old workers cut: every message once and in order', async () => {
  await using server = await startProxiedServer();
  await using proxy = await startNginx(
    server.listenPort,
    proxyConfig('nginx', server.settings),
    'worker_shutdown_timeout 200ms;',
  );
  const clients = Array.from({ length: 20 }, () => centrifuge(proxy.url, ['websocket']));
  try {
    const received = clients.map((client) => {
      const list: number[] = [];
      const subscription = client.newSubscription('load');
      subscription.on('publication', ({ data }) => list.push(data as number));
      subscription.subscribe();
      client.connect();
      return list;
    });
    await Promise.all(clients.map(async (client) => client.getSubscription('load')?.ready(10_000)));
    const total = 600;
    for (let number = 0; number < total; number += 1) {
      await server.running.hub.publish('load', number);
      if (number % 150 === 75) proxy.signal('SIGHUP');
      // Lets the event loop deliver, and the reload happen in the middle.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const expected = Array.from({ length: total }, (_, number) => number);
    await vi.waitFor(() => expect(received.every(({ length }) => length >= total)).toBe(true), {
      timeout: 15_000,
      interval: 50,
    });
    for (const list of received) expect(list).toEqual(expected);
    // Every client really was cut, at least once.
    expect(server.running.hub.metrics.recoveries.counts.get('yes')).toBeGreaterThanOrEqual(20);
  } finally {
    for (const client of clients) client.disconnect();
  }
});
