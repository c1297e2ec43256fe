import { once } from 'node:events';
import { connect } from 'node:net';
import { type Dialect, type HubOptions } from '@holdfast/hub';
import { ManualClock } from '@holdfast/hub/testing';
import { Disconnect, disconnects } from '@holdfast/protocol';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningHub, startHub } from './running-hub.ts';

const decoder = new TextDecoder();

/** Whoever names itself in the query is let in to one channel, and hears publications as they are. */
const plainTexts: Dialect = {
  userConnectionLimit: 2,
  async connect({ url = '' }) {
    const user = new URL(url, 'http://localhost').searchParams.get('user');
    if (user === 'broken') throw new Error('the database is away');
    if (user !== null) return { user, request: { name: user }, channels: ['news'] };
    return { status: 401, code: 'unauthorized', message: 'who are you?' };
  },
  greeting: (user) => `welcome ${user}`,
  encode({ pub }) {
    const text = pub?.data === undefined ? '' : (JSON.parse(decoder.decode(pub.data)) as string);
    return text === '' ? undefined : text;
  },
  heartbeat: () => 'still here',
};

async function startWithDialect(options: HubOptions = {}): Promise<RunningHub> {
  const running = await startHub(options);
  running.hub.speak('/legacy', plainTexts);
  running.hub.on('connecting', ({ name }) => {
    if (name === 'banned') throw disconnects.permissionDenied;
    return { user: name };
  });
  return running;
}

interface Listener {
  readonly socket: WebSocket;
  readonly texts: string[];
  readonly closes: number[];
}

async function listen({ port }: RunningHub, user: string): Promise<Listener> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/legacy?user=${user}`);
  const texts: string[] = [];
  const closes: number[] = [];
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  socket.on('close', (code) => closes.push(code));
  await once(socket, 'open');
  return { socket, texts, closes };
}

/** Status and `Retry-After` of a handshake that is refused. */
async function refusal({ port }: RunningHub, query: string): Promise<readonly unknown[]> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/legacy${query}`);
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { readonly statusCode: number; readonly headers: Record<string, string> },
  ];
  socket.terminate();
  return [response.statusCode, response.headers['retry-after']];
}

describe('a dialect over WebSocket', () => {
  test('says pushes in its words, singly, and nothing where it has none', async () => {
    await using running = await startWithDialect();
    const { texts } = await listen(running, 'ann');
    await Promise.all(['one', '', 'two'].map((text) => running.hub.publish('news', text)));
    await vi.waitFor(() => expect(texts).toEqual(['welcome ann', 'one', 'two']));
  });

  test('compressed too, each message has a frame of its own', async () => {
    await using running = await startWithDialect({
      websocket: { compression: true, compressionMinSize: 1 },
    });
    const { texts } = await listen(running, 'ann');
    const many = Array.from({ length: 20 }, (_, index) => `text ${index}`);
    await Promise.all(many.map((text) => running.hub.publish('news', text)));
    await vi.waitFor(() => expect(texts).toEqual(['welcome ann', ...many]));
  });

  test('is not disturbed by what its clients say', async () => {
    await using running = await startWithDialect();
    const { socket, texts, closes } = await listen(running, 'ann');
    for (const text of ['hello', '{}', '{"id":1,"connect":{}}', '\n']) socket.send(text);
    await running.hub.publish('news', 'one');
    await vi.waitFor(() => expect(texts).toEqual(['welcome ann', 'one']));
    expect(closes).toEqual([]);
  });

  test('goes with pings, and ends connections that do not answer them', async () => {
    const clock = new ManualClock();
    await using running = await startWithDialect({
      clock,
      client: { pingIntervalMs: 1_000, pongTimeoutMs: 500 },
    });
    const { socket, texts } = await listen(running, 'ann');
    const silent = await listen(running, 'bob');
    silent.socket.pause();
    for (let pings = 1; pings <= 3; pings += 1) {
      clock.advance(1_000);
      await vi.waitFor(() =>
        expect(texts.filter((text) => text === 'still here')).toHaveLength(pings),
      );
      // Once the server has answered this one, it has read the answer to its own.
      const answered = once(socket, 'pong');
      socket.ping();
      await answered;
    }
    await vi.waitFor(async () => {
      const users = (await running.hub.connections()).connections.map(({ user }) => user);
      expect(users).toEqual(['ann']);
    });
  });

  test.each([
    ['no user', '', [401, undefined]],
    ['somebody that the application does not want', '?user=banned', [403, undefined]],
    ['a failure of the server', '?user=broken', [503, '5']],
  ])('refuses %s in the handshake', async (_what, query, expected) => {
    await using running = await startWithDialect();
    expect(await refusal(running, query)).toEqual(expected);
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
  });

  test("refuses a user's connections over the limit in the handshake, and keeps the older ones", async () => {
    await using running = await startWithDialect();
    const listeners = [await listen(running, 'ann'), await listen(running, 'ann')];
    expect(await refusal(running, '?user=ann')).toEqual([429, '30']);
    const other = await listen(running, 'bob');
    await running.hub.publish('news', 'one');
    for (const { texts } of listeners) {
      await vi.waitFor(() => expect(texts).toEqual(['welcome ann', 'one']));
    }
    await vi.waitFor(() => expect(other.texts).toEqual(['welcome bob', 'one']));
    listeners[0]?.socket.close();
    await vi.waitFor(async () => {
      const { socket } = await listen(running, 'ann');
      expect(socket.readyState).toBe(WebSocket.OPEN);
    });
  });

  test('forgets a client that goes before it is answered', async () => {
    let answer: (() => void) | undefined;
    await using running = await startHub();
    const connections = running.hub.speak('/legacy', {
      ...plainTexts,
      connect: () =>
        new Promise((resolve) => {
          answer = () => resolve({ user: 'ann', request: {}, channels: ['news'] });
        }),
    });
    const socket = connect(running.port, '127.0.0.1');
    socket.write(
      'GET /legacy HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await vi.waitFor(() => expect(answer).toBeDefined());
    socket.resetAndDestroy();
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
    answer?.();
    await vi.waitFor(() => expect(connections.size).toBe(0));
    expect(running.hub.metrics.connections).toBe(0);
  });

  test('refuses newcomers while the node shuts down, and tells those who are there', async () => {
    const running = await startWithDialect();
    const { closes } = await listen(running, 'ann');
    await running[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(closes).toEqual([3001]));
  });

  test('a plain request to its path is told what a handshake needs', async () => {
    await using running = await startWithDialect();
    const { status } = await fetch(running.at('/legacy?user=ann'));
    expect(status).toBe(426);
  });

  test('a disconnect ends its connections as any others', async () => {
    await using running = await startWithDialect();
    const { closes } = await listen(running, 'ann');
    await running.hub.disconnect({ user: 'ann' }, new Disconnect(4000, 'go'));
    await vi.waitFor(() => expect(closes).toEqual([4000]));
  });
});

/** The same, in the words of server-sent events. */
const events: Dialect = {
  ...plainTexts,
  medium: 'event_stream',
  greeting: (user) => `event: hello\ndata: ${user}`,
  encode(push) {
    if (push.disconnect !== undefined) return `event: bye\ndata: ${push.disconnect.reason}`;
    const text = plainTexts.encode(push);
    return text === undefined ? undefined : `data: ${text}`;
  },
  heartbeat: () => 'event: beat\ndata: {}',
};

interface Stream {
  readonly headers: Headers;
  readonly end: () => void;
  /** What came until now. */
  text: string;
  hasEnded: boolean;
}

async function stream(running: RunningHub, user: string): Promise<Stream> {
  const stop = new AbortController();
  const { status, headers, body } = await fetch(running.at(`/events?user=${user}`), {
    signal: stop.signal,
  });
  expect(status).toBe(200);
  const opened: Stream = { headers, text: '', hasEnded: false, end: () => stop.abort() };
  const read = async (): Promise<void> => {
    for await (const chunk of body ?? []) opened.text += decoder.decode(chunk);
  };
  void read()
    .catch(() => undefined)
    .finally(() => (opened.hasEnded = true));
  return opened;
}

async function startWithEvents(options: HubOptions = {}): Promise<RunningHub> {
  const running = await startWithDialect(options);
  running.hub.speak('/events', events);
  return running;
}

describe('a dialect over an event stream', () => {
  test('says each push as an event in its words, with an error of the server at the end', async () => {
    await using running = await startWithEvents();
    const opened = await stream(running, 'ann');
    expect(Object.fromEntries(opened.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': expect.stringContaining('no-cache') as unknown,
      'x-accel-buffering': 'no',
      connection: 'keep-alive',
    });
    await Promise.all(['one', '', 'two'].map((text) => running.hub.publish('news', text)));
    const said = '\r\nevent: hello\ndata: ann\n\ndata: one\n\ndata: two\n\n';
    await vi.waitFor(() => expect(opened.text).toBe(said));
    await running.hub.disconnect({ user: 'ann' }, new Disconnect(4000, 'go'));
    await vi.waitFor(() => expect(opened.hasEnded).toBe(true));
    expect(opened.text).toBe(`${said}event: bye\ndata: go\n\n`);
  });

  test('goes with pings', async () => {
    await using running = await startWithEvents({ client: { pingIntervalMs: 100 } });
    const opened = await stream(running, 'ann');
    await vi.waitFor(() => expect(opened.text.split('event: beat').length).toBeGreaterThan(2));
  });

  test.each([
    ['no user', '', [401, null]],
    ['somebody that the application does not want', '?user=banned', [403, null]],
    ['a failure of the server', '?user=broken', [503, '5']],
  ])('refuses %s before it begins', async (_what, query, expected) => {
    await using running = await startWithEvents();
    const response = await fetch(running.at(`/events${query}`), {
      headers: { accept: 'text/event-stream' },
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual(expected);
    expect(await response.json()).toMatchObject({ error: { code: expect.any(String) as unknown } });
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0));
  });

  test("refuses a user's streams over the limit, keeps the older ones, and forgets those that end", async () => {
    await using running = await startWithEvents();
    const streams = [await stream(running, 'ann'), await stream(running, 'ann')];
    const refused = await fetch(running.at('/events?user=ann'));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30']);
    await refused.body?.cancel();
    // Sockets have a limit of their own.
    const socket = await listen(running, 'ann');
    await running.hub.publish('news', 'one');
    for (const opened of streams) await vi.waitFor(() => expect(opened.text).toMatch(/one\n\n$/));
    await vi.waitFor(() => expect(socket.texts).toEqual(['welcome ann', 'one']));
    streams[0]?.end();
    await vi.waitFor(async () => expect((await stream(running, 'ann')).hasEnded).toBe(false));
  });

  test('forgets a client that goes before it is answered', async () => {
    let answer: (() => void) | undefined;
    await using running = await startHub();
    const connections = running.hub.speak('/events', {
      ...events,
      connect: () =>
        new Promise((resolve) => {
          answer = () => resolve({ user: 'ann', request: {}, channels: ['news'] });
        }),
    });
    const socket = connect(running.port, '127.0.0.1');
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(answer).toBeDefined());
    const closed = once(socket, 'close');
    socket.resetAndDestroy();
    await closed;
    answer?.();
    await vi.waitFor(() => {
      expect([running.hub.metrics.connections, connections.size]).toEqual([0, 0]);
    });
  });

  test('takes no other methods, and no pages of other origins', async () => {
    await using running = await startWithEvents();
    const post = await fetch(running.at('/events?user=ann'), { method: 'POST' });
    expect(post.status).toBe(405);
    const foreign = await fetch(running.at('/events?user=ann'), {
      headers: { origin: 'https://evil.example' },
    });
    expect(foreign.status).toBe(403);
  });
});
