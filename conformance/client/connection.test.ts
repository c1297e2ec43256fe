import { EventSource } from 'eventsource';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import {
  type Client,
  type ClientOptions,
  createClient,
  createEnvironment,
  type Environment,
  type EnvironmentSignal,
} from '@holdfast/client';
import { startApp, type RunningApp } from './running-app.ts';

const quick = { minDelayMs: 10, maxDelayMs: 50, stableMs: 10_000 };

function connect(running: RunningApp, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url: running.url,
    webSocket: WebSocket,
    eventSource: EventSource,
    backoff: quick,
    ...options,
  });
  onTestFinished(() => client.close());
  client.connect();
  return client;
}

const connected = async (client: Client) =>
  vi.waitFor(() => expect(client.state.status).toBe('connected'), { timeout: 60_000 });

/** The real environment, whose signals the test gives. */
function signalledEnvironment(): {
  environment: Environment;
  signal: (signal: EnvironmentSignal) => void;
} {
  const listeners = new Set<(signal: EnvironmentSignal) => void>();
  return {
    environment: {
      ...createEnvironment(),
      onSignal: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    signal: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}

/** An environment whose waits of this length and more end when the test takes them; cancelled ones are gone. */
function heldWaits(environment: Environment, fromMs: number) {
  const held: (() => void)[] = [];
  return {
    held,
    environment: {
      ...environment,
      after(delayMs: number, action: () => void): () => void {
        if (delayMs < fromMs) return environment.after(delayMs, action);
        held.push(action);
        return () => void held.splice(0, held.length, ...held.filter((one) => one !== action));
      },
    },
  };
}

function collect(client: Client, channel = 'news') {
  const received: unknown[] = [];
  const subscription = client.subscribe(channel, {
    onPublication: ({ data }) => received.push(data),
  });
  return { received, subscription };
}

const subscribed = async (subscription: { readonly state: { readonly status: string } }) =>
  vi.waitFor(() => expect(subscription.state.status).toBe('subscribed'), { timeout: 60_000 });

describe('a connection of its own', () => {
  test('says what it is: transport, round trip, since when', async () => {
    await using running = await startApp();
    const client = connect(running);
    await connected(client);
    await vi.waitFor(() => expect(client.state.roundTripMs).toBeGreaterThanOrEqual(0));
    expect(client.state).toMatchObject({
      status: 'connected',
      transport: 'websocket',
      attempts: 0,
      missedPings: 0,
      nextRetryAt: undefined,
      heldBy: 'self',
    });
  });

  test('misses nothing while its network is cut', async () => {
    await using running = await startApp();
    const client = connect(running);
    const { received, subscription } = collect(client);
    await subscribed(subscription);
    for (let round = 0; round < 5; round++) {
      await running.hub.publish('news', `${round}a`);
      running.cutConnections();
      await running.hub.publish('news', `${round}b`);
      await vi.waitFor(() => expect(received.at(-1)).toBe(`${round}b`));
    }
    expect(received).toEqual([0, 1, 2, 3, 4].flatMap((round) => [`${round}a`, `${round}b`]));
    expect(subscription.state).toMatchObject({ recovered: true, position: { offset: 10 } });
    expect(client.state.lastClose).toMatchObject({ code: 1006 });
  });

  test('says that something is missing when the server lost its history', async () => {
    const first = await startApp();
    const client = connect(first);
    const { subscription } = collect(client);
    await subscribed(subscription);
    await first.hub.publish('news', 1);
    await vi.waitFor(() => expect(subscription.state.position?.offset).toBe(1));
    await first[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(client.state.attempts).toBeGreaterThan(2));
    expect(client.state.lastClose?.reason).toContain('could not be made');
    await using second = await startApp({ port: first.port });
    await vi.waitFor(() => expect(subscription.state.recovered).toBe(false), { timeout: 60_000 });
    expect(second.hub.metrics.clients).toBe(1);
  });

  test('a refusal for good ends the attempts, and says why', async () => {
    await using running = await startApp();
    const client = connect(running);
    await connected(client);
    await running.hub.disconnect({ user: '' }, { code: 3503, reason: 'force disconnect' });
    await vi.waitFor(() => expect(client.state.status).toBe('refused'));
    expect(client.state.lastClose).toMatchObject({
      code: 3503,
      reason: expect.stringContaining('for good') as string,
    });
    client.connect();
    await connected(client);
  });

  test('a hundred uses of a channel are one subscription, which ends with the last of them', async () => {
    await using running = await startApp();
    const client = connect(running);
    const uses = Array.from({ length: 100 }, () => collect(client));
    await subscribed(uses[0]!.subscription);
    expect(running.hub.metrics.subscriptions).toBe(1);
    await running.hub.publish('news', 1);
    await vi.waitFor(() => expect(uses.every(({ received }) => received.length === 1)).toBe(true));
    for (const { subscription } of uses.slice(1)) subscription.close();
    await running.hub.publish('news', 2);
    await vi.waitFor(() => expect(uses[0]!.received).toEqual([1, 2]));
    expect(uses[1]!.received).toEqual([1]);
    uses[0]!.subscription.close();
    await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0));
  });

  test('other options for a channel in use are refused', async () => {
    await using running = await startApp();
    const client = connect(running);
    client.subscribe('news', { joinLeave: true });
    expect(() => client.subscribe('news', { joinLeave: false })).toThrow('other options');
  });
});

describe('transports', () => {
  test.each(['http_stream', 'sse', 'polling'] as const)(
    'falls back to %s and says so',
    async (transport) => {
      await using running = await startApp({
        hub: {
          http: {
            httpStream: { enabled: transport === 'http_stream' },
            sse: { enabled: transport !== 'polling' },
          },
        },
      });
      running.blockWebSocket(true);
      const client = connect(running);
      const { received, subscription } = collect(client);
      await subscribed(subscription);
      expect(client.state.transport).toBe(transport);
      await running.hub.publish('news', 1);
      running.cutConnections();
      await running.hub.publish('news', 2);
      await vi.waitFor(() => expect(received).toEqual([1, 2]), { timeout: 60_000 });
    },
  );

  test('goes back up to WebSocket once that works, and misses nothing on the way', async () => {
    await using running = await startApp();
    running.blockWebSocket(true);
    const { environment, held: probes } = heldWaits(createEnvironment(), 30_000);
    const client = connect(running, { environment });
    const { received, subscription } = collect(client);
    await subscribed(subscription);
    expect(client.state.transport).toBe('http_stream');
    await vi.waitFor(() => expect(probes).toHaveLength(1));
    probes.shift()!();
    // Still blocked: the probe fails, and the next one is planned.
    await vi.waitFor(() => expect(probes).toHaveLength(1));
    expect(client.state.transport).toBe('http_stream');
    await running.hub.publish('news', 1);
    running.blockWebSocket(false);
    probes.shift()!();
    await vi.waitFor(() =>
      expect(client.state).toMatchObject({ status: 'connected', transport: 'websocket' }),
    );
    await running.hub.publish('news', 2);
    await vi.waitFor(() => expect(received).toEqual([1, 2]));
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(1));
  });
});

describe('what the page says', () => {
  test('frozen: the connection ends; resumed: it continues where it was', async () => {
    await using running = await startApp();
    const { environment, signal } = signalledEnvironment();
    const client = connect(running, { environment });
    const { received, subscription } = collect(client);
    await subscribed(subscription);
    signal('suspend');
    expect(client.state.status).toBe('suspended');
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
    await running.hub.publish('news', 'while frozen');
    signal('resume');
    await vi.waitFor(() => expect(received).toEqual(['while frozen']));
  });

  test('offline and online again: back at once', async () => {
    await using running = await startApp();
    const { environment, signal } = signalledEnvironment();
    const client = connect(running, { environment });
    await connected(client);
    signal('offline');
    expect(client.state).toMatchObject({ status: 'offline', transport: undefined });
    expect(client.state.nextRetryAt).toBeGreaterThan(0);
    signal('online');
    await connected(client);
  });

  test('offline, with a new token meanwhile: tries again although nobody says that it is online', async () => {
    await using running = await startApp();
    const { environment: signalled, signal } = signalledEnvironment();
    const { environment, held: retries } = heldWaits(signalled, 60_000);
    const backoff = { ...quick, maxDelayMs: 60_000 };
    const client = connect(running, { environment, backoff });
    await connected(client);
    signal('offline');
    client.setToken('');
    expect(client.state).toMatchObject({ status: 'offline' });
    expect(client.state.nextRetryAt).toBeGreaterThan(0);
    expect(retries).toHaveLength(1);
    retries.shift()!();
    await connected(client);
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(1));
  });

  test('awake: a connection that answers stays', async () => {
    await using running = await startApp();
    const { environment, signal } = signalledEnvironment();
    const client = connect(running, { environment });
    await connected(client);
    await vi.waitFor(() => expect(client.state.roundTripMs).toBeDefined());
    const { since } = client.state;
    signal('wake');
    expect(await client.measureRoundTrip()).toBeGreaterThanOrEqual(0);
    expect(client.state).toMatchObject({ status: 'connected', since });
  });
});

describe('publishing', () => {
  test('what is published without a connection goes out in order once there is one', async () => {
    await using running = await startApp();
    const client = createClient({ url: running.url, webSocket: WebSocket, backoff: quick });
    onTestFinished(() => client.close());
    const published = [1, 2, 3].map((n) => client.publish('news', n));
    const again = client.publish('news', 'once', { idempotencyKey: 'k' });
    const same = client.publish('news', 'once', { idempotencyKey: 'k' });
    client.connect();
    await Promise.all([...published, again, same]);
    const { publications } = await client.history('news', { limit: 10 });
    expect(publications.map(({ data }) => data)).toEqual([1, 2, 3, 'once']);
  });

  test('the queue has a bound and a deadline', async () => {
    await using running = await startApp();
    const client = createClient({
      url: running.url,
      webSocket: WebSocket,
      publishQueue: { maxSize: 2, timeoutMs: 20 },
    });
    onTestFinished(() => client.close());
    const results = await Promise.allSettled([1, 2, 3].map((n) => client.publish('news', n)));
    expect(results).toMatchObject([
      { status: 'rejected', reason: { code: 'timed_out' } },
      { status: 'rejected', reason: { code: 'timed_out' } },
      { status: 'rejected', reason: { code: 'queue_full' } },
    ]);
    const waiting = client.publish('news', 4, { timeoutMs: 60_000 });
    client.close();
    await expect(waiting).rejects.toMatchObject({ code: 'closed' });
  });

  test('what the server refuses is refused at once, with its code', async () => {
    await using running = await startApp({
      hub: { client: { insecure: false, allowAnonymousConnectWithoutToken: true } },
    });
    const client = connect(running);
    await connected(client);
    await expect(client.publish('news', 1)).rejects.toMatchObject({
      code: 'refused',
      details: { code: 103 },
    });
  });
});

test('a new token leaves exactly one connection', async () => {
  await using running = await startApp();
  const client = connect(running);
  const { received, subscription } = collect(client);
  await subscribed(subscription);
  client.setToken('');
  await running.hub.publish('news', 1);
  await vi.waitFor(() => expect(received).toEqual([1]));
  await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(1));
});
