import { setTimeout as delay } from 'node:timers/promises';
import { createMemoryNetwork, ManualClock } from '@holdfast/hub/testing';
import { Centrifuge, State } from 'centrifuge';
import { EventSource } from 'eventsource';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { RawSession } from './raw-session.ts';
import { startHub } from './running-hub.ts';

const withHistory = {
  withoutNamespace: { historySize: 100, historyTtlMs: 60_000, forceRecovery: true },
};

/** A connect hook that answers when it is told to, and counts how many it was asked at once. */
function slowHook() {
  const asked: (() => void)[] = [];
  let most = 0;
  return {
    get most() {
      return most;
    },
    get waiting() {
      return asked.length;
    },
    connecting: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      asked.push(resolve);
      most = Math.max(most, asked.length);
      await promise;
      return { user: 'ann' };
    },
    answer: () => asked.shift()?.(),
  };
}

/** A hub where one client is being connected, one waits for its turn, and there is no room for more. */
async function startBusyHub() {
  await using stack = new AsyncDisposableStack();
  const running = stack.use(
    await startHub({
      admission: { concurrency: 1, queueSize: 1 },
      http: { uniSse: { enabled: true } },
    }),
  );
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  for (let index = 0; index < 2; index += 1) {
    const session = stack.use(await RawSession.open(running.url));
    session.send({ id: 1, connect: {} });
  }
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(1));
  const kept = stack.move();
  return { running, hook, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

test('a backend is asked about so many clients at once, and the others wait their turn', async () => {
  await using running = await startHub({ admission: { concurrency: 3 } });
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  const clients = Array.from({ length: 12 }, () => running.client());
  for (const client of clients) client.connect();
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(9), 60_000);
  while (clients.some(({ state }) => state !== State.Connected)) {
    hook.answer();
    await delay(1);
  }
  expect(hook.most).toBe(3);
  expect(running.hub.metrics.handshakesUnderWay).toBe(0);
  expect(running.hub.metrics.handshakeWait.count).toBeGreaterThanOrEqual(12);
});

test('the turn lasts until what came along with connect is done', async () => {
  await using running = await startHub({ admission: { concurrency: 1 } });
  const { promise, resolve } = Promise.withResolvers<void>();
  running.hub.on('subscribing', async () => {
    await promise;
    return {};
  });
  await using first = await RawSession.open(running.url);
  first.send({ id: 1, connect: {} }, { id: 2, subscribe: { channel: 'news' } });
  await vi.waitFor(() => expect(first.replies).toHaveLength(1));
  await using second = await RawSession.open(running.url);
  second.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(1));
  expect(second.replies).toEqual([]);
  resolve();
  await vi.waitFor(() => expect(second.replies).toHaveLength(1));
});

test('whoever is gone or refused leaves the turn to the next', async () => {
  await using running = await startHub({
    admission: { concurrency: 1 },
    client: { insecure: false },
  });
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  {
    await using gone = await RawSession.open(running.url);
    gone.send({ id: 1, connect: {} });
    await vi.waitFor(() => expect(hook.waiting).toBe(1));
  }
  await using other = await RawSession.open(running.url);
  other.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(hook.waiting).toBe(2));
  hook.answer();
  hook.answer();
  await vi.waitFor(() => expect(other.replies).toHaveLength(1));
});

test('clients that find the queue full come back by themselves', async () => {
  await using running = await startHub({ admission: { concurrency: 1, queueSize: 2 } });
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  const clients = Array.from({ length: 10 }, () => running.client());
  for (const client of clients) {
    client.on('error', () => {});
    client.connect();
  }
  await vi.waitFor(
    () => {
      hook.answer();
      expect(clients.every(({ state }) => state === State.Connected)).toBe(true);
    },
    { timeout: 60_000, interval: 5 },
  );
});

test('whoever is connected already, and finds the queue full, gets an error to try again on', async () => {
  await using running = await startHub({ admission: { concurrency: 1, queueSize: 1 } });
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  await using first = await RawSession.open(running.url);
  await using second = await RawSession.open(running.url);
  await using third = await RawSession.open(running.url);
  first.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(hook.waiting).toBe(1));
  second.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(1));
  expect(await third.ask({ id: 1, connect: {} })).toMatchObject({
    error: {
      code: 111,
      temporary: true,
      message: expect.stringMatching(/this server is busy, try again in \d+ s$/) as string,
    },
  });
  hook.answer();
  hook.answer();
});

test('waiting does not make a client stale', async () => {
  const clock = new ManualClock();
  await using running = await startHub({
    clock,
    admission: { concurrency: 1, queueTimeoutMs: 10_000 },
    client: { staleCloseDelayMs: 300 },
  });
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  await using first = await RawSession.open(running.url);
  first.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(hook.waiting).toBe(1));
  await using second = await RawSession.open(running.url);
  second.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(1));
  // The first one takes so long that it is cut, and the second one has been there as long.
  clock.advance(400);
  await vi.waitFor(() => expect(first.closed?.code).toBe(3502));
  await vi.waitFor(() => expect(hook.waiting).toBe(2));
  hook.answer();
  hook.answer();
  await vi.waitFor(() => expect(second.replies).toHaveLength(1));
  expect(second.closed).toBeUndefined();
});

test('new connections of every kind are told when to come back', async () => {
  await using busy = await startBusyHub();
  const { running, hook } = busy;

  const upgrade = await fetch(running.at('/connection/websocket'), { method: 'GET' });
  expect(upgrade.status).toBe(426);
  const refused = new WebSocket(running.url);
  const status = await new Promise((resolve) => {
    refused.on('unexpected-response', (_, response) =>
      resolve([response.statusCode, response.headers['retry-after']]),
    );
  });
  refused.on('error', () => {});
  expect(status).toEqual([503, expect.stringMatching(/^[1-9]\d?$/)]);

  const stream = await fetch(running.at('/connection/http_stream'), {
    method: 'POST',
    body: '{"id":1,"connect":{}}',
  });
  expect([stream.status, stream.headers.get('retry-after')]).toEqual([
    503,
    expect.stringMatching(/^[1-9]\d?$/),
  ]);
  expect(await stream.json()).toMatchObject({ error: { code: 'handshake_queue' } });

  const events = await fetch(running.at('/connection/uni_sse'), {
    headers: { Accept: 'text/event-stream' },
  });
  expect(events.status).toBe(200);
  expect(await events.text()).toMatch(/^: .+\nretry: [1-9]\d*000\n\n$/);
  hook.answer();
  hook.answer();
});

test('an EventSource that comes at a bad time comes back by itself', async () => {
  await using busy = await startBusyHub();
  const { running, hook } = busy;
  const source = new EventSource(running.at('/connection/uni_sse'));
  const heard: string[] = [];
  source.addEventListener('message', ({ data }) => heard.push(data as string));
  await vi.waitFor(() =>
    expect(running.hub.metrics.refusedHandshakes.counts.get('handshake_queue')).toBeGreaterThan(0),
  );
  await vi.waitFor(
    () => {
      hook.answer();
      expect(heard.join()).toContain('"connect"');
    },
    { timeout: 60_000 },
  );
  source.close();
});

test('a node that leaves others behind lets its clients go one after the other', async () => {
  const network = createMemoryNetwork();
  const clock = new ManualClock();
  await using leaving = await startHub({ channel: withHistory, ...network.addNode(), clock });
  await using staying = await startHub({ channel: withHistory, ...network.addNode() });
  await vi.waitFor(() => expect(leaving.hub.nodes()).toHaveLength(2));
  let ended = 0;
  const received: unknown[][] = [];
  const subscribed: Promise<unknown>[] = [];
  const clients = Array.from({ length: 40 }, (_, index) => {
    const transports =
      index % 4 === 0
        ? [{ transport: 'http_stream' as const, endpoint: leaving.at('/connection/http_stream') }]
        : [{ transport: 'websocket' as const, endpoint: leaving.url }];
    const client = new Centrifuge(transports, {
      websocket: WebSocket,
      fetch,
      readableStream: ReadableStream,
      emulationEndpoint: leaving.at('/emulation'),
      minReconnectDelay: 10,
      maxReconnectDelay: 50,
    });
    client.on('connecting', ({ code }) => {
      if (code !== 3001) return;
      ended += 1;
      // As a load balancer would.
      for (const transport of transports) {
        transport.endpoint = transport.endpoint.replace(String(leaving.port), String(staying.port));
      }
    });
    const subscription = client.newSubscription('news');
    const data: unknown[] = [];
    received.push(data);
    subscription.on('publication', (publication) => data.push(publication.data));
    subscription.subscribe();
    subscribed.push(subscription.ready(60_000));
    client.connect();
    return client;
  });
  try {
    // Not what the server counts: who is still subscribing may begin after the first publication.
    await Promise.all(subscribed);
    let published = 0;
    const gone = leaving.hub.shutdown({ timeoutMs: 20_000, drainWindowMs: 1_000 });
    // Two of forty in each twentieth of the window, never more.
    for (let slice = 1; slice <= 20; slice += 1) {
      clock.advance(50);
      await vi.waitFor(async () => {
        published += 1;
        await staying.hub.publish('news', published);
        expect(ended).toBe(2 * slice);
      });
    }
    await gone;
    const all = Array.from({ length: published }, (_, index) => index + 1);
    await vi.waitFor(() => expect(received).toEqual(received.map(() => all)), 60_000);
  } finally {
    for (const client of clients) client.disconnect();
  }
});

test('a lone node lets go of all at once: there is nobody else to go to', async () => {
  // No time passes while it does.
  await using running = await startHub({ clock: new ManualClock() });
  const client = running.client();
  client.connect();
  await client.ready(60_000);
  await running.hub.shutdown({ timeoutMs: 120_000, drainWindowMs: 60_000 });
  await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
});

test('a window longer than the time to end is cut short', async () => {
  const network = createMemoryNetwork();
  const clock = new ManualClock();
  await using leaving = await startHub({ ...network.addNode(), clock });
  await using _staying = await startHub(network.addNode());
  await vi.waitFor(() => expect(leaving.hub.nodes()).toHaveLength(2));
  const client = leaving.client();
  client.connect();
  await client.ready(60_000);
  const gone = leaving.hub.shutdown({ timeoutMs: 90_000, drainWindowMs: 600_000 });
  clock.advance(90_000);
  await gone;
  await vi.waitFor(() => expect(leaving.hub.metrics.connections).toBe(0));
});

test('newcomers wait at the door while others are being connected, and one that is silent for a second only', async () => {
  const clock = new ManualClock();
  await using running = await startHub({ clock, admission: { concurrency: 1 } });
  const silent = [await RawSession.open(running.url), await RawSession.open(running.url)];
  // Two are inside, which is twice the concurrency, and neither says anything.
  const opening = RawSession.open(running.url);
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(1));
  clock.advance(900);
  expect(running.hub.metrics.handshakesWaiting).toBe(1);
  clock.advance(150);
  await using third = await opening;
  expect(await third.ask({ id: 1, connect: {} })).toHaveProperty('connect');
  for (const session of silent) await session[Symbol.asyncDispose]();
});

test('a client that is gone before its turn at the door leaves nothing behind', async () => {
  await using running = await startHub({ admission: { concurrency: 1 } });
  const hook = slowHook();
  running.hub.on('connecting', hook.connecting);
  await using first = await RawSession.open(running.url);
  await using second = await RawSession.open(running.url);
  for (const session of [first, second]) session.send({ id: 1, connect: {} });
  const leaving = new WebSocket(running.url);
  leaving.on('error', () => {});
  await vi.waitFor(() => expect(running.hub.metrics.handshakesWaiting).toBe(2), 60_000);
  leaving.terminate();
  hook.answer();
  await vi.waitFor(() => {
    hook.answer();
    expect([first.replies.length, second.replies.length]).toEqual([1, 1]);
  });
  await vi.waitFor(() => {
    const { connections, handshakesWaiting, handshakesUnderWay } = running.hub.metrics;
    expect([connections, handshakesWaiting, handshakesUnderWay]).toEqual([2, 0, 0]);
  });
});
