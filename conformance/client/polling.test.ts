import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Client, type ClientOptions, createClient } from '@holdfast/client';
import { createMemoryNetwork } from '@holdfast/hub/testing';
import { startApp, type RunningApp } from './running-app.ts';

const patient = { timeout: 60_000, interval: 20 };
const quick = { minDelayMs: 10, maxDelayMs: 50, stableMs: 10_000 };

function poll(url: string, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url,
    endpoints: [{ transport: 'polling', endpoint: `${url}/connection/polling` }],
    backoff: quick,
    ...options,
  });
  onTestFinished(() => client.close());
  client.connect();
  return client;
}

function collect(client: Client) {
  const received: unknown[] = [];
  const subscription = client.subscribe('news', {
    onPublication: ({ data }) => received.push(data),
  });
  return { received, subscription };
}

const subscribed = async (subscription: { readonly state: { readonly status: string } }) =>
  vi.waitFor(() => expect(subscription.state.status).toBe('subscribed'), patient);

/** A network that loses every third request and every third answer. */
function lossy(): typeof globalThis.fetch {
  let count = 0;
  return async (input, init) => {
    const turn = count++ % 6;
    // The first request makes the connection: its loss would only be one more attempt.
    if (turn === 2) throw new TypeError('the request was lost');
    const response = await fetch(input, init);
    if (turn === 5) {
      await response.text();
      throw new TypeError('the answer was lost');
    }
    return response;
  };
}

test('through a network that loses requests and answers, everything arrives once and in order, both ways', async () => {
  await using running = await startApp();
  const client = poll(running.url, { fetch: lossy() });
  const { received, subscription } = collect(client);
  await subscribed(subscription);
  const { since } = client.state;
  const own = Array.from({ length: 20 }, (_, index) => index);
  await Promise.all(own.map((n) => client.publish('news', n)));
  for (let n = 20; n < 60; n++) {
    await running.hub.publish('news', n);
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(n - 5), patient);
  }
  const all = Array.from({ length: 60 }, (_, index) => index);
  await vi.waitFor(() => expect(received).toEqual(all), patient);
  // Over one connection, not by recovery.
  expect(client.state).toMatchObject({ transport: 'polling', since });
  expect(running.hub.metrics.connectionsOpened.counts.get('polling')).toBe(1);
});

test('requests that go now to one node and now to another', async () => {
  const network = createMemoryNetwork();
  const nodes: RunningApp[] = [];
  for (let n = 0; n < 2; n++) {
    const node = await startApp({ hub: network.addNode() });
    nodes.push(node);
    onTestFinished(() => node[Symbol.asyncDispose]());
  }
  await vi.waitFor(() => expect(nodes[0]!.hub.nodes()).toHaveLength(2));
  let count = 0;
  const client = poll(nodes[0]!.url, {
    fetch: (_input, init) => fetch(`${nodes[count++ % 2]!.url}/connection/polling`, init),
  });
  const { received, subscription } = collect(client);
  await subscribed(subscription);
  for (let n = 0; n < 20; n++) await nodes[n % 2]!.hub.publish('news', n);
  await client.publish('news', 20);
  await vi.waitFor(
    () => expect(received).toEqual(Array.from({ length: 21 }, (_, index) => index)),
    patient,
  );
  client.disconnect();
  await vi.waitFor(() => {
    for (const { hub } of nodes) expect(hub.metrics.connections).toBe(0);
  }, patient);
});

test('a cut connection is continued, a crashed server too', async () => {
  await using running = await startApp();
  const client = poll(running.url);
  const { received, subscription } = collect(client);
  await subscribed(subscription);
  await running.hub.publish('news', 1);
  await vi.waitFor(() => expect(received).toEqual([1]), patient);
  running.cutConnections();
  await running.hub.publish('news', 2);
  await vi.waitFor(() => expect(received).toEqual([1, 2]), patient);
  await running.kill();
  await vi.waitFor(() => expect(client.state.status).not.toBe('connected'), patient);
  await using again = await startApp({ port: running.port });
  await vi.waitFor(() => expect(subscription.state).toMatchObject({ recovered: false }), patient);
  expect(again.hub.metrics.clients).toBe(1);
});

test('a proxy with little patience is asked for less, and the connection stays', async () => {
  await using running = await startApp();
  const waits: unknown[] = [];
  // Gives up after a second, as if the server were dead.
  const proxy = createServer((request, response) => {
    void (async () => {
      const body = (await request.toArray()).join('');
      const { ack, wait } = JSON.parse(body) as { ack?: number; wait?: number };
      if (ack !== undefined) waits.push(wait);
      try {
        const answer = await fetch(`${running.url}/connection/polling`, {
          method: 'POST',
          body,
          signal: AbortSignal.timeout(1_300),
        });
        response.writeHead(answer.status).end(await answer.text());
      } catch {
        response.writeHead(504).end('<h1>504</h1>');
      }
    })();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  const client = poll(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  const { received, subscription } = collect(client);
  await subscribed(subscription);
  await vi.waitFor(() => expect(waits.filter((wait) => wait === 1_000).length).toBeGreaterThan(1), {
    timeout: 60_000,
  });
  await running.hub.publish('news', 1);
  await vi.waitFor(() => expect(received).toEqual([1]), patient);
  expect(running.hub.metrics.connectionsOpened.counts.get('polling')).toBe(1);
});

test('a refusal is told in the words of the server', async () => {
  await using running = await startApp({ hub: { client: { allowedOrigins: [] } } });
  const client = poll(running.url, {
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set('Origin', 'https://page.example');
      return fetch(input, { ...init, headers });
    },
  });
  await vi.waitFor(
    () =>
      expect(client.state.lastClose).toMatchObject({
        code: 1006,
        reason: expect.stringMatching(
          /^refused: HTTP 403, the Origin https:\/\/page\.example is not allowed: add it to/,
        ) as string,
      }),
    patient,
  );
  expect(client.state.status).not.toBe('connected');
});

test('a server that has too much to do is left alone for as long as it asks', async () => {
  await using running = await startApp({ hub: { client: { connectionLimit: 1 } } });
  const first = poll(running.url);
  await vi.waitFor(() => expect(first.state.status).toBe('connected'), patient);
  const second = createClient({ url: running.url, backoff: quick });
  onTestFinished(() => second.close());
  const before = Date.now();
  second.connect();
  await vi.waitFor(() => expect(second.state.nextRetryAt).toBeDefined(), patient);
  // As `Retry-After` of the HTTP stream says, which was tried after the WebSocket.
  expect(second.state.nextRetryAt! - before).toBeGreaterThanOrEqual(5_000);
  expect(second.state).toMatchObject({ status: 'waiting', attempts: 1 });
});
