import { EventSource } from 'eventsource';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Client, createClient } from '@holdfast/client';
import { collects } from './broken-proxies.ts';
import { startProxiedServer } from './proxied-server.ts';
import { startNginx } from './real-proxy.ts';

const patient = { timeout: 60_000, interval: 50 };

function connect(url: string): Client {
  const client = createClient({
    url,
    eventSource: EventSource,
    connectTimeoutMs: 1_500,
    backoff: { minDelayMs: 20, maxDelayMs: 100, stableMs: 10_000 },
  });
  onTestFinished(() => client.close());
  client.connect();
  return client;
}

test.each([
  ['collects answers', collects],
  [
    'compresses what it collects',
    `proxy_http_version 1.1; ${collects} gzip on; gzip_types *; gzip_min_length 1;`,
  ],
  ['is impatient too', `${collects} proxy_read_timeout 3s;`],
])('nginx that %s leaves polling, and nothing is lost', async (_what, location) => {
  await using server = await startProxiedServer();
  await using proxy = await startNginx(
    server.listenPort,
    `upstream hub { server 127.0.0.1:${server.port}; keepalive 8; }
server { listen 127.0.0.1:${server.listenPort}; 
  location = /connection/websocket { return 403; }
  location / { proxy_pass http://hub; ${location} } }`,
  );
  const client = connect(proxy.url);
  const received: unknown[] = [];
  const subscription = client.subscribe('news', {
    onPublication: ({ data }) => received.push(data),
  });
  await vi.waitFor(() => expect(subscription.state.status).toBe('subscribed'), patient);
  expect(client.state.transport).toBe('polling');
  const { since } = client.state;
  for (let n = 0; n < 20; n++) {
    await server.running.hub.publish('news', n);
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(n - 7), patient);
  }
  await vi.waitFor(
    () => expect(received).toEqual(Array.from({ length: 20 }, (_, index) => index)),
    patient,
  );
  // Longer than the patience of the third proxy: the first poll fails, and shorter ones follow.
  await vi.waitFor(() => expect(Date.now() - since).toBeGreaterThan(4_500), patient);
  await server.running.hub.publish('news', 20);
  await vi.waitFor(() => expect(received).toHaveLength(21), patient);
  expect(client.state).toMatchObject({ status: 'connected', transport: 'polling', since });
  expect(server.running.hub.metrics.connectionsOpened.counts.get('polling')).toBe(1);
  // Before the server, which would wait for it.
  client.close();
});
