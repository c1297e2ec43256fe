import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Clock,
  type Connection,
  type Hub,
  type HubHandlers,
  type HubNotices,
  type Logger,
  systemClock,
} from '@holdfast/hub';
import { describe, expect, test, vi } from 'vitest';
import { HookBackend, type HookResponder } from '../testing/hook-backend.ts';
import { installEventHooks } from './install-event-hooks.ts';
import type { EventHookOptions } from './options.ts';

/** Stands where the hub stands, so that a test says what happens. */
class Notices implements Pick<Hub, 'on' | 'nodeId'> {
  readonly nodeId: string;
  readonly #handlers = new Map<string, (event: never) => unknown>();

  constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  on<Name extends keyof HubHandlers>(name: Name, handler: HubHandlers[Name]): () => void {
    this.#handlers.set(name, handler);
    return () => this.#handlers.delete(name);
  }

  notify<Name extends keyof HubNotices>(name: Name, event: Parameters<HubNotices[Name]>[0]): void {
    this.#handlers.get(name)?.(event as never);
  }

  get handlerCount(): number {
    return this.#handlers.size;
  }

  connect(connection: Connection): void {
    this.notify('connected', connection);
  }

  disconnect(connection: Connection): void {
    this.notify('disconnected', { connection, code: 3_001, reason: 'shutdown' });
  }

  subscribe(connection: Connection, channel: string): void {
    const flags = { isServerSide: false, recovered: false, wasRecovering: false };
    this.notify('subscribed', { connection, channel, ...flags });
  }

  unsubscribe(connection: Connection, channel: string): void {
    const ending = { isServerSide: false, code: 0, reason: 'client unsubscribed' };
    this.notify('unsubscribed', { connection, channel, ...ending });
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

function makeConnection(client: string, more: Partial<Connection> = {}): Connection {
  return {
    client,
    user: `user of ${client}`,
    transport: {
      name: 'websocket',
      format: 'json',
      unidirectional: false,
      remoteAddress: '127.0.0.1',
      headers: { cookie: 'session=secret' },
    },
    connectedAt: 0,
    name: '',
    version: '',
    emulatedHeaders: {},
    ...more,
  };
}

interface ReceivedEvent extends Record<string, unknown> {
  readonly id: string;
  readonly type: string;
}

/** The events of all requests that a backend was sent. */
function eventsOf(backend: HookBackend): ReceivedEvent[] {
  return backend.received.flatMap(({ body }) => body.events as ReceivedEvent[]);
}

const accept: HookResponder = (_hook, response) => void response.writeHead(204).end();

interface SetupOptions {
  readonly nodeId?: string;
  readonly folder?: string;
  readonly random?: () => number;
  readonly clock?: Clock;
}

async function setUp(
  hooks: readonly EventHookOptions[],
  { nodeId = 'n1', folder, random = () => 0, clock = systemClock }: SetupOptions = {},
) {
  const home = folder ?? (await mkdtemp(path.join(tmpdir(), 'holdfast-events-')));
  const hub = new Notices(nodeId);
  const lines: { level: string; message: string }[] = [];
  const log = (level: string) => (_fields: object, message: string) =>
    void lines.push({ level, message });
  const logger: Logger = {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
  };
  const events = await installEventHooks(hub, hooks, { folder: home, logger, random, clock });
  return {
    hub,
    events,
    lines,
    folder: home,
    async [Symbol.asyncDispose]() {
      await events.close({ timeoutMs: 0 });
      await rm(home, { recursive: true, force: true });
    },
  };
}

function hook(backend: HookBackend, more: Partial<EventHookOptions> = {}): EventHookOptions {
  return { name: 'backend', endpoint: backend.url('/events'), batchMaxDelayMs: 0, ...more };
}

describe('event hooks', () => {
  test('tell what happens, in order', async () => {
    await using backend = await HookBackend.start(accept);
    await using setup = await setUp([hook(backend)]);
    const { hub } = setup;
    const ann = makeConnection('c1', {
      name: 'js',
      version: '5.8',
      info: bytes('{"big":12345678901234567890}'),
      meta: bytes('{"secret":1}'),
    });
    const bob = makeConnection('c2', { info: new Uint8Array([0xff]) });
    const before = Date.now();
    hub.connect(ann);
    hub.connect(bob);
    hub.subscribe(ann, 'chat:1');
    hub.subscribe(bob, 'chat:1');
    hub.unsubscribe(ann, 'chat:1');
    hub.unsubscribe(bob, 'chat:1');
    hub.disconnect(ann);
    await vi.waitFor(() => expect(eventsOf(backend).length).toBe(9));
    const events = eventsOf(backend);
    expect(events.map(({ type, client, channel }) => [type, client ?? '', channel ?? ''])).toEqual([
      ['connect', 'c1', ''],
      ['connect', 'c2', ''],
      ['subscribe', 'c1', 'chat:1'],
      ['occupied', '', 'chat:1'],
      ['subscribe', 'c2', 'chat:1'],
      ['unsubscribe', 'c1', 'chat:1'],
      ['unsubscribe', 'c2', 'chat:1'],
      ['vacated', '', 'chat:1'],
      ['disconnect', 'c1', ''],
    ]);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => `n1-${index + 1}`));
    expect(events[0]).toEqual({
      id: 'n1-1',
      type: 'connect',
      time: expect.toSatisfy((time: number) => time >= before && time <= Date.now()) as number,
      node: 'n1',
      client: 'c1',
      user: 'user of c1',
      transport: 'websocket',
      protocol: 'json',
      name: 'js',
      version: '5.8',
      info: { big: expect.any(Number) as number },
    });
    expect(backend.received[0]?.text).toContain('{"big":12345678901234567890}');
    expect(events[1]).toMatchObject({ b64info: '/w==' });
    expect(events[5]).toMatchObject({ server_side: false, code: 0, reason: 'client unsubscribed' });
    expect(events[8]).toMatchObject({ code: 3_001, reason: 'shutdown' });
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  test('are signed over id, time and body; each attempt anew', async () => {
    let attempts = 0;
    await using backend = await HookBackend.start((_hook, response) => {
      attempts += 1;
      response.writeHead(attempts === 1 ? 500 : 200).end();
    });
    await using setup = await setUp([
      hook(backend, { secret: 'k', staticHeaders: { 'X-App': 'a' } }),
    ]);
    setup.hub.connect(makeConnection('c1'));
    await vi.waitFor(() => expect(backend.received.length).toBe(2));
    for (const { headers, text } of backend.received) {
      const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${text}`;
      const signature = createHmac('sha256', 'k').update(signed).digest('base64');
      expect(headers['webhook-signature']).toBe(`v1,${signature}`);
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-app': 'a' });
    }
    const [first, second] = backend.received;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.text).toBe(first?.text);
  });

  test('are chosen by type and channel; meta goes along when asked for', async () => {
    await using backend = await HookBackend.start(accept);
    await using setup = await setUp([
      hook(backend, { name: 'types', endpoint: backend.url('/types'), events: ['subscribe'] }),
      hook(backend, {
        name: 'channels',
        endpoint: backend.url('/channels'),
        channels: ['chat:*', 'news'],
        includeConnectionMeta: true,
      }),
    ]);
    const connection = makeConnection('c1', { meta: bytes('{"tenant":7}') });
    setup.hub.connect(connection);
    for (const channel of ['chat:1', 'news', 'other']) setup.hub.subscribe(connection, channel);
    setup.hub.disconnect(connection);
    const of = (target: string) =>
      backend.received
        .filter(({ path }) => path === target)
        .flatMap(({ body }) => body.events as ReceivedEvent[]);
    await vi.waitFor(() => expect(of('/types').length + of('/channels').length).toBe(9));
    expect(of('/types').map(({ type, channel }) => `${type} ${channel as string}`)).toEqual([
      'subscribe chat:1',
      'subscribe news',
      'subscribe other',
    ]);
    expect(of('/channels').map(({ type }) => type)).toEqual([
      'connect',
      'subscribe',
      'occupied',
      'subscribe',
      'occupied',
      'disconnect',
    ]);
    expect(of('/channels')[0]).toMatchObject({ meta: { tenant: 7 } });
  });

  test('one request holds what came meanwhile, up to the limit', async () => {
    await using backend = await HookBackend.start(accept);
    await using setup = await setUp([hook(backend, { batchMaxEvents: 40 })]);
    for (let i = 1; i <= 100; i++) setup.hub.connect(makeConnection(`c${i}`));
    await vi.waitFor(() => expect(eventsOf(backend).length).toBe(100));
    const sizes = backend.received.map(({ body }) => (body.events as unknown[]).length);
    expect(Math.max(...sizes)).toBe(40);
    expect(sizes.length).toBeLessThan(6);
    expect(backend.connectionCount).toBe(1);
  });
});

describe('a backend in trouble', () => {
  test('gets every event at least once and in order, whatever it does', async () => {
    let requests = 0;
    await using backend = await HookBackend.start((received, response) => {
      requests += 1;
      switch (requests % 6) {
        case 0:
        case 1:
          return void response.writeHead(200).end();
        case 2:
          return void response.writeHead(503).end();
        case 3:
          return void received.socket.destroy();
        case 4:
          return undefined;
        default:
          return void response.writeHead(302, { location: '/elsewhere' }).end();
      }
    });
    await using setup = await setUp([hook(backend, { batchMaxEvents: 7, timeoutMs: 100 })]);
    for (let i = 1; i <= 60; i++) {
      setup.hub.connect(makeConnection(`c${i}`));
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(
      () => expect(setup.events.metrics()[0]).toMatchObject({ backlog: 0, deliveredEvents: 60 }),
      { timeout: 60_000 },
    );
    const first = new Map<string, number>();
    const order: string[] = [];
    for (const { id } of eventsOf(backend)) {
      if (!first.has(id)) order.push(id);
      first.set(id, (first.get(id) ?? 0) + 1);
    }
    expect(order).toEqual(Array.from({ length: 60 }, (_, index) => `n1-${index + 1}`));
    expect([...first.values()].some((count) => count > 1)).toBe(true);
    expect(setup.events.metrics()[0]?.requests.counts.get('status')).toBeGreaterThan(0);
  });

  test('is a problem with a reason, and no more when it is over', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.writeHead(401).end();
    });
    await using setup = await setUp([hook(backend, { retryMaxDelayMs: 20 })], {
      random: () => 0.9,
    });
    setup.hub.connect(makeConnection('c1'));
    await vi.waitFor(() => expect(setup.events.problems().length).toBe(1));
    expect(setup.events.problems()).toEqual([
      'event_hooks[backend]: 1 events wait for the backend: it answers with status 401',
    ]);
    await vi.waitFor(() => expect(backend.received.length).toBeGreaterThan(3));
    backend.respond = accept;
    await vi.waitFor(() => expect(setup.events.problems()).toEqual([]));
    expect(setup.lines).toEqual([
      {
        level: 'error',
        message: `event hook backend at ${backend.url('/events')}: it answers with status 401; 1 events are kept and sent again. The backend must accept events with a status from 200 to 299.`,
      },
      {
        level: 'info',
        message: 'event hook backend: the backend accepts events again; 0 are to be sent',
      },
    ]);
  });

  test('that is away for too long is told how much is missing', async () => {
    await using backend = await HookBackend.start((_hook, response) => {
      response.writeHead(503).end();
    });
    await using setup = await setUp([
      hook(backend, { journalMaxBytes: 20_000, batchMaxEvents: 1 }),
    ]);
    for (let i = 1; i <= 500; i++) {
      setup.hub.connect(makeConnection(`c${i}`));
      if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => expect(setup.events.metrics()[0]?.unwrittenEvents).toBe(0));
    const refused = backend.received.length;
    backend.respond = accept;
    await vi.waitFor(() => expect(setup.events.metrics()[0]?.backlog).toBe(0), { timeout: 60_000 });
    const lost = backend.received
      .slice(refused)
      .reduce((sum, { body }) => sum + ((body.lost as number | undefined) ?? 0), 0);
    expect(lost).toBeGreaterThan(100);
    expect(setup.events.metrics()[0]?.lostEvents).toBe(lost);
    expect(setup.events.metrics()[0]?.deliveredEvents).toBe(500 - lost);
    expect(eventsOf(backend).at(-1)?.id).toBe('n1-500');
  });
});

describe('start and stop', () => {
  test('close sends what is left; what is not accepted stays for the next start', async () => {
    await using backend = await HookBackend.start(accept);
    await using first = await setUp([hook(backend)]);
    first.hub.connect(makeConnection('c1'));
    await first.events.close({ timeoutMs: 5_000 });
    expect(eventsOf(backend).map(({ id }) => id)).toEqual(['n1-1']);
    expect(first.hub.handlerCount).toBe(0);

    backend.respond = (_hook, response) => void response.writeHead(500).end();
    const { folder } = first;
    await using second = await setUp([hook(backend)], { nodeId: 'n2', folder });
    second.hub.connect(makeConnection('c2'));
    await second.events.close({ timeoutMs: 5_000 });

    backend.respond = accept;
    await using third = await setUp([hook(backend)], { nodeId: 'n3', folder });
    third.hub.connect(makeConnection('c3'));
    await vi.waitFor(() => expect(third.events.metrics()[0]?.backlog).toBe(0));
    expect(eventsOf(backend).map(({ id, type }) => `${type} ${id}`)).toEqual(
      expect.arrayContaining(['connect n1-1', 'connect n2-2', 'connect n3-3']),
    );
    expect(eventsOf(backend).some(({ type }) => type === 'node_lost')).toBe(false);
  });

  test('close keeps its time with a backend that never answers', async () => {
    await using backend = await HookBackend.start(() => undefined);
    await using setup = await setUp([hook(backend, { timeoutMs: 60_000 })]);
    setup.hub.connect(makeConnection('c1'));
    await vi.waitFor(() => expect(backend.received.length).toBe(1));
    const startedAt = performance.now();
    await setup.events.close({ timeoutMs: 100 });
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  test('one process at a time has a journal', async () => {
    await using backend = await HookBackend.start(accept);
    await using setup = await setUp([hook(backend)]);
    const { folder } = setup;
    const hurried = { ...systemClock, monotonic: () => performance.now() * 100 };
    await expect(setUp([hook(backend)], { folder, clock: hurried })).rejects.toThrow(
      'another process',
    );
  });

  test.each([
    [{ name: '../up' }, 'cannot be that of a folder'],
    [{ name: '' }, 'cannot be that of a folder'],
    [{ endpoint: 'ftp://127.0.0.1' }, 'event_hooks[backend].endpoint: must begin with http://'],
    [
      { staticHeaders: { 'a b': '1' } },
      "event_hooks[backend].http.static_headers: 'a b' is no valid",
    ],
  ])('options that cannot work are refused: %j', async (options, message) => {
    await using backend = await HookBackend.start(accept);
    await expect(setUp([hook(backend, options)])).rejects.toThrow(message);
  });
});
