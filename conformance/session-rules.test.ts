import { ManualClock } from '@holdfast/hub/testing';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { startHub } from './running-hub.ts';

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe('the order of things', () => {
  test('a command before connect ends the connection', async () => {
    await using running = await startHub();
    await using session = await RawSession.open(running.url);
    session.send({ id: 1, subscribe: { channel: 'news' } });
    expect(await session.waitForClose()).toEqual({ code: 3501, reason: 'bad request' });
  });

  test('a second connect ends the connection', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    session.send({ id: 2, connect: {} });
    expect(await session.waitForClose()).toMatchObject({ code: 3501 });
  });

  test('commands sent along with connect wait for it', async () => {
    await using running = await startHub();
    running.hub.on('connecting', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { user: 'ann' };
    });
    await using session = await RawSession.open(running.url);
    session.send({ id: 1, connect: {} }, { id: 2, subscribe: { channel: 'news' } });
    await session.wait(({ id }) => id === 2);
    expect(session.replies.map(({ id }) => id)).toEqual([1, 2]);
  });

  test('after a refused connect nothing else is taken', async () => {
    await using running = await startHub({ client: { insecure: false } });
    running.hub.on('connecting', () => ({ user: 'ann', expireAt: 1 }));
    await using session = await RawSession.open(running.url);
    expect(await session.ask({ id: 1, connect: {} })).toMatchObject({ error: { code: 110 } });
    session.send({ id: 2, subscribe: { channel: 'news' } });
    expect(await session.waitForClose()).toMatchObject({ code: 3501 });
  });

  test('whoever does not connect in time is stale', async () => {
    await using running = await startHub({ client: { staleCloseDelayMs: 50 } });
    await using session = await RawSession.open(running.url);
    expect(await session.waitForClose()).toEqual({ code: 3502, reason: 'stale' });
  });

  test('without credentials there is no connection', async () => {
    await using running = await startHub({ client: { insecure: false } });
    await using session = await RawSession.open(running.url);
    session.send({ id: 1, connect: {} });
    expect(await session.waitForClose()).toMatchObject({ code: 3501 });
  });

  test('replies keep the order of the commands', async () => {
    await using running = await startHub();
    const steps: string[] = [];
    running.hub.on('rpc', async ({ method }) => {
      steps.push(`${method} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      steps.push(`${method} ends`);
      return {};
    });
    await using session = await RawSession.connect(running.url);
    session.send({ id: 2, rpc: { method: 'first' } }, { id: 3, rpc: { method: 'second' } });
    await session.wait(({ id }) => id === 3);
    expect(steps).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
    expect(session.replies.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test('with concurrency a slow command does not hold up the next', async () => {
    await using running = await startHub({ client: { concurrency: 8 } });
    const gate = Promise.withResolvers<void>();
    running.hub.on('rpc', async ({ method }) => {
      if (method === 'slow') await gate.promise;
      return {};
    });
    await using session = await RawSession.connect(running.url);
    session.send({ id: 2, rpc: { method: 'slow' } }, { id: 3, rpc: { method: 'fast' } });
    await session.wait(({ id }) => id === 3);
    gate.resolve();
    await session.wait(({ id }) => id === 2);
    expect(session.replies.map(({ id }) => id)).toEqual([1, 3, 2]);
  });
});

describe('pings', () => {
  const client = { pingIntervalMs: 100, pongTimeoutMs: 60 };

  const pingsOf = ({ replies }: RawSession): number =>
    replies.filter((reply) => Object.keys(reply).length === 0).length;

  test('who answers them stays', async () => {
    const clock = new ManualClock();
    await using running = await startHub({ client, clock });
    await using session = await RawSession.connect(running.url);
    for (let pings = 1; pings <= 4; pings += 1) {
      clock.advance(client.pingIntervalMs);
      await vi.waitFor(() => expect(pingsOf(session)).toBe(pings));
      session.sendText('{}');
      // The answer to this command comes after the server has read that one.
      await session.ask({ id: 1 + pings, rpc: {} });
    }
    expect(session.closed).toBeUndefined();
  });

  test('who does not answer is gone', async () => {
    await using running = await startHub({ client });
    await using session = await RawSession.connect(running.url);
    expect(await session.waitForClose()).toEqual({ code: 3012, reason: 'no pong' });
  });

  test('a pong that nobody asked for ends the connection', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    session.sendText('{}');
    expect(await session.waitForClose()).toMatchObject({ code: 3501 });
  });

  test('native pings replace ours when the client asks for them', async () => {
    const clock = new ManualClock();
    await using running = await startHub({ client, clock });
    const url = `${running.url}?cf_ws_frame_ping_pong=true`;
    await using session = await RawSession.open(url);
    const reply = await session.ask({ id: 1, connect: {} });
    expect(reply.connect).not.toHaveProperty('ping');
    expect(reply.connect).not.toHaveProperty('pong');
    // `ws` answers native pings by itself; without them the connection would end.
    for (let id = 2; id <= 9; id += 2) {
      clock.advance(client.pingIntervalMs);
      // When the first command is answered, the ping has been; when the second one is, its pong.
      await session.ask({ id, rpc: {} });
      await session.ask({ id: id + 1, rpc: {} });
    }
    expect(session.closed).toBeUndefined();
    expect(pingsOf(session)).toBe(0);
  });
});

describe('bad input', () => {
  test.each([
    ['not JSON', 'hello'],
    ['a blank frame', ''],
    ['a blank line', '{"id":2,"rpc":{}}\n\n{"id":3,"rpc":{}}'],
    ['null', 'null'],
    ['a number', '17'],
    ['an array', '[]'],
    ['no request', '{"id":2}'],
    ['an unknown method', '{"id":2,"explode":{}}'],
    ['a negative id', '{"id":-1,"rpc":{}}'],
    ['an id that is text', '{"id":"2","rpc":{}}'],
    ['an id too large', '{"id":4294967296,"rpc":{}}'],
    ['no id', '{"rpc":{}}'],
    ['a channel that is a number', '{"id":2,"subscribe":{"channel":7}}'],
    ['an empty channel', '{"id":2,"subscribe":{}}'],
    ['an unknown delta', '{"id":2,"subscribe":{"channel":"a","delta":"zip"}}'],
    ['a send that nobody takes', '{"send":{"data":1}}', 3508],
    ['an empty refresh token', '{"id":2,"refresh":{}}'],
    ['an offset that is no number', '{"id":2,"subscribe":{"channel":"a","offset":"1e9"}}'],
    [
      'an offset beyond what numbers can count',
      '{"id":2,"subscribe":{"channel":"a","offset":9007199254740993}}',
    ],
  ])('%s ends the connection with a code', async (_what, text, code = 3501) => {
    await using running = await startHub();
    await using other = await RawSession.connect(running.url);
    await using session = await RawSession.connect(running.url);
    session.sendText(text);
    expect(await session.waitForClose()).toMatchObject({ code });
    expect(await other.ask({ id: 2, presence: { channel: 'a' } })).toMatchObject({
      error: { code: 108 },
    });
    expect(running.hub.metrics.disconnects.counts.get(String(code))).toBe(1);
  });

  test('binary where text belongs', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    session.sendBinary(Buffer.from('{"id":2,"rpc":{}}'));
    expect(await session.waitForClose()).toMatchObject({ code: 3506 });
  });

  test.each([
    ['unknown namespace', 'nowhere:news', 102],
    ['name too long', 'n'.repeat(256), 107],
    ['name that is not ASCII', 'nëws', 107],
    ['control characters', 'a\u0000b', 107],
    ['line breaks', 'a\nb', 107],
  ])('a channel with %s is refused, and the connection goes on', async (_what, channel, code) => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    const requests = [
      { subscribe: { channel } },
      { publish: { channel, data: json(1) } },
      { presence: { channel } },
      { presence_stats: { channel } },
      { history: { channel } },
    ];
    for (const [index, request] of requests.entries()) {
      const reply = await session.ask({ id: index + 2, ...request });
      expect(reply.error?.code).toBe(code);
    }
    expect(session.closed).toBeUndefined();
  });

  test('the 129th channel is one too many', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    for (let index = 0; index < 129; index += 1) {
      session.send({ id: index + 2, subscribe: { channel: `c${index}` } });
    }
    expect(await session.wait(({ id }) => id === 130)).toMatchObject({ error: { code: 106 } });
    expect(running.hub.metrics.subscriptions).toBe(128);
  });

  test('a channel cannot be subscribed twice', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    await session.ask({ id: 2, subscribe: { channel: 'a' } });
    expect(await session.ask({ id: 3, subscribe: { channel: 'a' } })).toMatchObject({
      error: { code: 105 },
    });
  });

  test('unsubscribe succeeds also where there is nothing to end', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    expect(await session.ask({ id: 2, unsubscribe: { channel: 'a' } })).toEqual({
      id: 2,
      unsubscribe: {},
    });
  });

  test('names of objects are ordinary names', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { presence: true } },
    });
    await using session = await RawSession.connect(running.url);
    for (const [index, channel] of ['__proto__', 'constructor', 'toString'].entries()) {
      const id = 10 * (index + 1);
      expect(await session.ask({ id, subscribe: { channel } })).toHaveProperty('subscribe');
      expect(await session.ask({ id: id + 1, presence_stats: { channel } })).toMatchObject({
        presence_stats: { num_clients: 1, num_users: 1 },
      });
    }
  });

  test('numbers and key order of a payload arrive as they were written', async () => {
    await using running = await startHub();
    await using session = await RawSession.connect(running.url);
    await session.ask({ id: 2, subscribe: { channel: 'a' } });
    const text = '{"big":9007199254740993,"huge":1e400,"__proto__":{"x":1},"b":1,"a":2}';
    session.sendText(`{"id":3,"publish":{"channel":"a","data":${text}}}`);
    const { push } = await session.wait((reply) => reply.push?.pub !== undefined);
    expect(Buffer.from(push?.pub?.data ?? []).toString()).toBe(text);
  });
});

describe('leaving nothing behind', () => {
  test('a client that connects and disconnects a thousand times', async () => {
    await using running = await startHub({
      channel: { withoutNamespace: { presence: true, joinLeave: true } },
    });
    for (let round = 0; round < 1000; round += 50) {
      const sessions = await Promise.all(
        Array.from({ length: 50 }, () => RawSession.connect(running.url)),
      );
      await Promise.all(
        sessions.map((session) => session.ask({ id: 2, subscribe: { channel: 'a' } })),
      );
      for (const session of sessions) await session[Symbol.asyncDispose]();
    }
    const { metrics } = running.hub;
    await vi.waitFor(() =>
      expect(metrics).toMatchObject({
        connections: 0,
        clients: 0,
        users: 0,
        subscriptions: 0,
        channels: 0,
      }),
    );
    expect(await running.hub.presenceStats('a')).toEqual({ clients: 0, users: 0 });
  });

  test('a client that never reads is cut while others see no delay', async () => {
    await using running = await startHub();
    await using slow = await RawSession.connect(running.url);
    await slow.ask({ id: 2, subscribe: { channel: 'a' } });
    slow.stopReading();
    const others = await Promise.all(
      Array.from({ length: 1000 }, () => RawSession.connect(running.url)),
    );
    await Promise.all(others.map((other) => other.ask({ id: 2, subscribe: { channel: 'b' } })));
    await others[0]?.ask({ id: 3, subscribe: { channel: 'a' } });
    const payload = 'x'.repeat(100_000);
    const { metrics } = running.hub;
    let published = 0;
    while (!metrics.disconnects.counts.has('3008') && published < 500) {
      await running.hub.publish('a', payload);
      await running.hub.publish('b', published);
      published += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(metrics.disconnects.counts.get('3008')).toBe(1);
    await vi.waitFor(() => {
      for (const other of others) {
        expect(other.replies.filter(({ push }) => push?.channel === 'b')).toHaveLength(published);
      }
    });
    expect(others.every(({ closed }) => closed === undefined)).toBe(true);
    for (const other of others) await other[Symbol.asyncDispose]();
  });
});
