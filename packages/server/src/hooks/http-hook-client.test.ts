import { type Clock, type Logger, systemClock } from '@holdfast/hub';
import { describe, expect, test, vi } from 'vitest';
import type { HookCall, HookCallResult } from './hook-call.ts';
import { HttpHookClient } from './http-hook-client.ts';
import { type HookProxyOptions, resolveProxyOptions } from './options.ts';
import { HookBackend, type HookResponder } from './testing/hook-backend.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

interface ClientContext {
  readonly clock?: Clock;
  readonly logger?: Logger;
}

function makeClient(
  endpoint: string,
  options: Partial<HookProxyOptions> = {},
  { clock = systemClock, logger = silent }: ClientContext = {},
) {
  const proxy = resolveProxyOptions({ timeoutMs: 5_000, ...options, endpoint });
  const client = new HttpHookClient({ url: new URL(endpoint), proxy, clock, logger });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

function question(overrides: Partial<HookCall> = {}): HookCall {
  return {
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{}'),
    signal: new AbortController().signal,
    isRepeatable: false,
    ...overrides,
  };
}

const outcome = (result: HookCallResult) =>
  result.kind === 'response' ? result.status : result.outcome;

const ok: HookResponder = () => ({ result: {} });
const never: HookResponder = () => undefined;

describe('a backend that works', () => {
  test('gets a POST with the body and answers', async () => {
    await using backend = await HookBackend.start(ok);
    using client = makeClient(backend.url('/a/b?secret=1'));
    const result = await client.call(question({ body: Buffer.from('{"user":"ü"}') }));
    expect(result).toMatchObject({ kind: 'response', status: 200 });
    expect(backend.received[0]).toMatchObject({
      method: 'POST',
      path: '/a/b?secret=1',
      text: '{"user":"ü"}',
    });
    expect(client.displayUrl).toBe(backend.url('/a/b'));
  });

  test('is asked over one kept connection, one call after the other', async () => {
    await using backend = await HookBackend.start(ok);
    using client = makeClient(backend.url());
    for (let i = 0; i < 20; i++) expect(outcome(await client.call(question()))).toBe(200);
    expect(backend.connectionCount).toBe(1);
  });

  test('ten thousand calls at once use 64 connections; each ends, and the queue is bounded', async () => {
    await using backend = await HookBackend.start(ok);
    using client = makeClient(backend.url(), { timeoutMs: 60_000 });
    const calls = Array.from({ length: 10_000 }, () => client.call(question()));
    expect(client.callsUnderWay).toBe(64);
    expect(client.callsWaiting).toBe(4_096);
    const results = await Promise.all(calls);
    const counts = new Map<number | string, number>();
    for (const result of results) {
      counts.set(outcome(result), (counts.get(outcome(result)) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({ 200: 4_160, queue_full: 5_840 });
    expect(backend.peakConnections).toBe(64);
    expect(backend.received.length).toBe(4_160);
    expect([client.callsUnderWay, client.callsWaiting]).toEqual([0, 0]);
  });
});

describe('a backend in trouble', () => {
  test('that is down', async () => {
    const backend = await HookBackend.start(ok);
    const url = backend.url();
    await backend.stop();
    using client = makeClient(url);
    expect(await client.call(question())).toMatchObject({
      outcome: 'network',
      cause: 'nothing accepts connections there (ECONNREFUSED)',
      advice: 'Start the backend, or correct the endpoint.',
    });
  });

  test('that never answers: the deadline is kept', async () => {
    await using backend = await HookBackend.start(never);
    using client = makeClient(backend.url(), { timeoutMs: 60 });
    const startedAt = performance.now();
    const result = await client.call(question());
    expect(performance.now() - startedAt).toBeGreaterThan(55);
    expect(result).toMatchObject({
      outcome: 'timeout',
      cause: 'no complete answer within 60 ms',
    });
    expect(client.callsUnderWay).toBe(0);
  });

  test('that drips its answer: the deadline is for the whole of it', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.write('{');
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(timer));
    });
    using client = makeClient(backend.url(), { timeoutMs: 100 });
    expect(outcome(await client.call(question()))).toBe('timeout');
  });

  test('waiting for a connection counts towards the deadline', async () => {
    await using backend = await HookBackend.start(never);
    using client = makeClient(backend.url(), { timeoutMs: 80, maxConnections: 1 });
    const results = await Promise.all([client.call(question()), client.call(question())]);
    expect(results.map(outcome)).toEqual(['timeout', 'timeout']);
    expect(backend.received.length).toBeLessThan(3);
  });

  test('bytes of bodies that wait are bounded', async () => {
    await using backend = await HookBackend.start(never);
    using client = makeClient(backend.url(), {
      timeoutMs: 100,
      maxConnections: 1,
      maxWaitingBytes: 1_000,
    });
    const body = Buffer.from(`"${'x'.repeat(598)}"`);
    const calls = Array.from({ length: 3 }, () => client.call(question({ body })));
    expect(await Promise.all(calls.slice(2))).toMatchObject([{ outcome: 'queue_full' }]);
    await Promise.all(calls);
  });

  test.each([
    ['declared', (size: number) => ({ 'content-length': size })],
    ['chunked', () => ({})],
  ])('that answers too much, %s', async (_name, headers) => {
    const size = 10_000_000;
    await using backend = await HookBackend.start((_hook, response) => {
      response.on('error', () => undefined);
      response.writeHead(200, headers(size));
      response.end(Buffer.alloc(size, ' '));
    });
    using client = makeClient(backend.url());
    expect(await client.call(question())).toMatchObject({
      outcome: 'invalid_answer',
      cause: 'the answer is longer than 65536 bytes',
    });
  });

  test('that breaks off in the middle of its answer', async () => {
    await using backend = await HookBackend.start(({ socket }) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"result":');
    });
    using client = makeClient(backend.url());
    expect(outcome(await client.call(question()))).toBe('network');
  });

  test('that speaks something else', async () => {
    await using backend = await HookBackend.start(({ socket }) => {
      socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    });
    using client = makeClient(backend.url());
    const result = await client.call(question());
    expect(result).toMatchObject({ outcome: 'network' });
    expect(result).toHaveProperty('cause', expect.stringContaining('no valid HTTP'));
  });

  test('that does not speak TLS', async () => {
    await using backend = await HookBackend.start(ok);
    using client = makeClient(backend.url().replace('http:', 'https:'));
    const result = await client.call(question());
    expect(result).toHaveProperty('cause', expect.stringContaining('no TLS is spoken there'));
  });

  test('that sends a header without end', async () => {
    await using backend = await HookBackend.start(({ socket }) => {
      socket.on('error', () => undefined);
      socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`);
    });
    using client = makeClient(backend.url());
    expect(outcome(await client.call(question()))).toBe('network');
  });

  test('redirects are answers, never followed', async () => {
    await using elsewhere = await HookBackend.start(ok);
    await using backend = await HookBackend.start((_hook, response) => {
      response.writeHead(307, { location: elsewhere.url() }).end();
    });
    using client = makeClient(backend.url());
    expect(await client.call(question())).toMatchObject({
      status: 307,
      location: elsewhere.url(),
    });
    expect(elsewhere.received).toEqual([]);
  });

  test('an answer 101 to a plain request is a status like any other', async () => {
    await using backend = await HookBackend.start(({ socket }) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
    });
    using client = makeClient(backend.url());
    expect(outcome(await client.call(question()))).toBe(101);
  });
});

describe('a connection that the backend closed as idle', () => {
  /** Answers the first request of a connection and cuts it at the second. */
  const cutSecondRequest = (): HookResponder => {
    const seen = new WeakSet<object>();
    return ({ socket }) => {
      if (seen.has(socket)) return void socket.destroy();
      seen.add(socket);
      return { result: {} };
    };
  };

  test('does not fail a question that can be repeated', async () => {
    await using backend = await HookBackend.start(cutSecondRequest());
    using client = makeClient(backend.url());
    for (let i = 0; i < 3; i++) {
      expect(outcome(await client.call(question({ isRepeatable: true })))).toBe(200);
    }
  });

  test('fails a call that may have had an effect', async () => {
    await using backend = await HookBackend.start(cutSecondRequest());
    using client = makeClient(backend.url());
    await client.call(question());
    expect(outcome(await client.call(question()))).toBe('network');
    expect(backend.received.length).toBe(2);
  });
});

describe('a client that goes away', () => {
  test('takes its call with it, wherever that is', async () => {
    await using backend = await HookBackend.start(never);
    using client = makeClient(backend.url(), { maxConnections: 1 });
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => client.call(question({ signal })));
    await vi.waitFor(() => expect(backend.received.length).toBe(1));
    for (const controller of controllers.toReversed()) controller.abort();
    expect((await Promise.all(calls)).map(outcome)).toEqual(['canceled', 'canceled']);
    expect([client.callsUnderWay, client.callsWaiting]).toEqual([0, 0]);
    const gone = AbortSignal.abort();
    expect(outcome(await client.call(question({ signal: gone })))).toBe('canceled');
  });

  test('close fails what is under way and what waits', async () => {
    await using backend = await HookBackend.start(never);
    const client = makeClient(backend.url(), { maxConnections: 1 });
    const calls = [client.call(question()), client.call(question())];
    client.close();
    expect((await Promise.all(calls)).map(outcome)).toEqual(['canceled', 'canceled']);
  });
});

describe('circuit', () => {
  function manualClock() {
    const clock = { ms: 0 };
    return Object.assign(clock, {
      now: () => clock.ms,
      monotonic: () => clock.ms,
      every: () => () => undefined,
    });
  }

  test('opens, says so once, probes, and closes again', async () => {
    await using backend = await HookBackend.start(ok);
    const { port } = backend;
    const url = backend.url();
    await backend.stop();
    const clock = manualClock();
    const lines: string[] = [];
    const logger: Logger = {
      ...silent,
      error: (_fields, message) => lines.push(message),
      info: (_fields, message) => lines.push(message),
    };
    using client = makeClient(
      url,
      { circuitBreaker: { failureThreshold: 3, openMs: 1_000 } },
      { clock, logger },
    );
    for (let i = 0; i < 3; i++) expect(outcome(await client.call(question()))).toBe('network');
    expect(client.circuitState).toBe('open');
    expect(client.problem()).toBe(
      'the backend does not work: nothing accepts connections there (ECONNREFUSED); next try in 1 s',
    );
    expect(outcome(await client.call(question()))).toBe('circuit_open');
    clock.ms = 1_000;
    expect(outcome(await client.call(question()))).toBe('network');
    expect(client.circuitState).toBe('open');

    await backend.listen(port);
    clock.ms = 3_000;
    const [probe, other] = await Promise.all([client.call(question()), client.call(question())]);
    expect([outcome(probe), outcome(other)]).toEqual([200, 'circuit_open']);
    expect(client.problem()).toBeUndefined();
    expect(lines).toEqual([
      `the backend at ${url} does not work: nothing accepts connections there (ECONNREFUSED). Until it does, its hooks answer with error 100 (clients try again) and it is only probed`,
      `the backend at ${url} works again`,
    ]);
  });

  test('what waits when it opens is answered at once', async () => {
    await using backend = await HookBackend.start(({ socket }) => void socket.destroy());
    using client = makeClient(backend.url(), {
      maxConnections: 1,
      circuitBreaker: { failureThreshold: 2 },
    });
    const results = await Promise.all(Array.from({ length: 50 }, () => client.call(question())));
    expect(results.map(outcome)).toEqual([
      'network',
      'network',
      ...Array.from({ length: 48 }, () => 'circuit_open'),
    ]);
    expect(backend.received.length).toBe(2);
  });

  test.each([
    [503, 'open'],
    [502, 'open'],
    [504, 'open'],
    [500, 'closed'],
    [401, 'closed'],
    [302, 'closed'],
  ])('status %i leaves it %s', async (status, state) => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.writeHead(status).end();
    });
    using client = makeClient(backend.url(), { circuitBreaker: { failureThreshold: 2 } });
    for (let i = 0; i < 5; i++) await client.call(question());
    expect(client.circuitState).toBe(state);
  });

  test('what a client can provoke does not open it', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.end('x'.repeat(100_000));
    });
    using client = makeClient(backend.url(), { circuitBreaker: { failureThreshold: 2 } });
    for (let i = 0; i < 5; i++) await client.call(question());
    expect(client.circuitState).toBe('closed');
  });

  test('an abandoned probe does not close or keep it', async () => {
    await using backend = await HookBackend.start(never);
    const clock = manualClock();
    using client = makeClient(
      backend.url(),
      { timeoutMs: 500, circuitBreaker: { failureThreshold: 1 } },
      { clock },
    );
    await client.call(question());
    clock.ms = 1_000;
    const controller = new AbortController();
    const probe = client.call(question({ signal: controller.signal }));
    expect(client.circuitState).toBe('half_open');
    controller.abort();
    expect(outcome(await probe)).toBe('canceled');
    backend.respond = ok;
    expect(outcome(await client.call(question()))).toBe(200);
    expect(client.circuitState).toBe('closed');
  });
});
