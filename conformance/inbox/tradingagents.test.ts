import { mkdtempSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket as PlainSocket } from 'ws';
import { freePort } from '@holdfast/store/testing/free-port';
import { type ServerProcess, startServerProcess } from '../server-process.ts';
import { startNginx } from '../proxies/real-proxy.ts';
import { ArticleStore } from './article-store.ts';
import { LegacyStore } from './legacy-store.ts';

const secret = 'a secret of more than thirty-two bytes';
const apiKey = 'a key of the backend';
const generous = { timeout: 60_000 };

function tokenOf(user: string, ttlSeconds = 3_600): Promise<string> {
  return new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setExpirationTime(Math.floor(Date.now() / 1000) + ttlSeconds)
    .sign(new TextEncoder().encode(secret));
}

interface Face extends AsyncDisposable {
  server: ServerProcess;
  readonly restart: () => Promise<void>;
  readonly store: (token: string) => LegacyStore;
}

/** The real server with the face, in a process of its own. */
async function startFace(): Promise<Face> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-face-'));
  const config = {
    http_server: { address: '127.0.0.1', port: await freePort() },
    http_api: { key: apiKey },
    client: { token: { hmac_secret_key: secret }, expired_close_delay: '100ms' },
    inbox: { faces: { tradingagents: true, tradingagents_user_connection_limit: 20 } },
  };
  const face: Face = {
    server: await startServerProcess(folder, config),
    async restart() {
      await face.server.kill();
      face.server = await startServerProcess(folder, config);
    },
    store(token) {
      const store = new LegacyStore(face.server.url, token);
      onTestFinished(() => store[Symbol.dispose]());
      return store;
    },
    async [Symbol.asyncDispose]() {
      await face.server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return face;
}

let face: Face;

beforeAll(async () => {
  face = await startFace();
});

afterAll(() => face[Symbol.asyncDispose]());

/** Each test has users of its own. */
function aUser(): string {
  return randomUUID();
}

async function send({ server }: Face, user: string, content: object): Promise<void> {
  const response = await fetch(`${server.url}/api/inbox/send`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': apiKey },
    body: JSON.stringify({ to: { user }, category: 'analysis', ...content }),
  });
  expect(response.status).toBe(200);
}

interface Answer {
  readonly status: number;
  readonly data: unknown;
  readonly detail: unknown;
}

async function call(
  { server }: Face,
  request: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const [method = '', address = ''] = request.split(' ');
  const response = await fetch(`${server.url}/api/${address}`, { method, headers });
  const { data, detail } = (await response.json()) as Answer;
  return { status: response.status, data, detail };
}

/** Sockets by user. */
async function stats({ server }: Face): Promise<Readonly<Record<string, number>>> {
  const headers = { 'X-API-Key': apiKey };
  const response = await fetch(`${server.url}/api/ws/stats`, { headers });
  const { users, total_users, total_connections } = (await response.json()) as {
    readonly users: Record<string, number>;
    readonly total_users: number;
    readonly total_connections: number;
  };
  const counts = Object.values(users);
  expect([total_users, total_connections]).toEqual([
    counts.length,
    counts.reduce((sum, count) => sum + count, 0),
  ]);
  return users;
}

function openSocket(token: string): PlainSocket {
  const origin = face.server.url.replace('http', 'ws');
  const socket = new PlainSocket(`${origin}/api/ws/notifications?token=${token}`);
  onTestFinished(() => socket.terminate());
  return socket;
}

/** How a request for a connection is answered; an accepted one is ended at once. */
function knock(address: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const handshake = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };
  return new Promise((resolve, reject) => {
    const asked = request(`${face.server.url}${address}`, {
      agent: false,
      headers: { ...(address.startsWith('/api/ws/') && handshake), ...headers },
    });
    const answered = ({ statusCode = 0 }: IncomingMessage): void => {
      asked.destroy();
      resolve(statusCode);
    };
    asked.once('response', answered);
    asked.once('upgrade', (response, socket) => {
      socket.destroy();
      answered(response);
    });
    asked.once('error', reject);
    asked.end();
  });
}

const toMs = (seconds: number): number => seconds * 1_000;

async function as(user: string): Promise<Readonly<Record<string, string>>> {
  return { authorization: `Bearer ${await tokenOf(user)}` };
}

const titles = ({ items }: { readonly items: readonly { readonly title: string }[] }) =>
  items.map(({ title }) => title);

describe("the face that TradingAgents-CN's interface sees", () => {
  test("brings a user's notifications to all of the user's pages, and to nobody else's", async () => {
    const [ann, bob] = [aUser(), aUser()];
    const pages = [face.store(await tokenOf(ann)), face.store(await tokenOf(ann))];
    const other = face.store(await tokenOf(bob));
    for (const { types } of [...pages, other]) {
      await vi.waitFor(() => expect(types).toEqual(['connected']), generous);
    }
    await send(face, ann, { title: '600519 分析完成', body: 'text', link: '/stocks/600519' });
    await send(face, bob, { title: 'for bob', category: 'orders' });
    for (const page of pages) {
      await vi.waitFor(() => expect(page.unread).toBe(1), generous);
      expect(page.items).toEqual([
        {
          id: expect.stringMatching(/^[\w-]+$/) as unknown,
          type: 'analysis',
          title: '600519 分析完成',
          content: 'text',
          link: '/stocks/600519',
          source: null,
          status: 'unread',
          created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/) as unknown,
        },
      ]);
    }
    await vi.waitFor(() => expect(titles(other)).toEqual(['for bob']), generous);
    expect(other.items[0]?.type).toBe('system');
  });

  test('lists, counts and marks as read, again and again, and only what is the user’s own', async () => {
    const [ann, bob] = [aUser(), aUser()];
    const headers = await as(ann);
    for (let index = 0; index < 5; index += 1) {
      const category = index % 2 === 0 ? 'alert.price' : 'orders';
      await send(face, ann, { title: `n${index}`, category });
    }
    const list = async (query: string) => {
      const { status, data } = await call(face, `GET notifications${query}`, headers);
      expect(status).toBe(200);
      return data as {
        readonly items: readonly { readonly id: string; readonly title: string }[];
        readonly total: number;
        readonly page: number;
        readonly page_size: number;
      };
    };
    const all = await list('');
    expect({ ...all, items: titles(all) }).toEqual({
      items: ['n4', 'n3', 'n2', 'n1', 'n0'],
      total: 5,
      page: 1,
      page_size: 20,
    });
    const second = await list('?page=2&page_size=2');
    expect([titles(second), second.total]).toEqual([['n2', 'n1'], 5]);
    expect(titles(await list('?type=alert'))).toEqual(['n4', 'n2', 'n0']);
    expect(titles(await list('?type=system'))).toEqual(['n3', 'n1']);
    expect(titles(await list('?type=analysis'))).toEqual([]);

    const [newest] = all.items;
    const read = `POST notifications/${newest?.id}/read`;
    expect(await call(face, read, await as(bob))).toMatchObject({
      status: 404,
      detail: 'Notification not found',
    });
    const answers = [await call(face, read, headers), await call(face, read, headers)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await call(face, 'GET notifications/unread_count', headers)).toMatchObject({
      data: { count: 4 },
    });
    expect(titles(await list('?status=read'))).toEqual(['n4']);
    expect(await call(face, 'POST notifications/read_all', headers)).toMatchObject({
      data: { updated: 4 },
    });
    expect(titles(await list('?status=unread'))).toEqual([]);
  });

  test('refuses what is not right, in the form that the interface shows', async () => {
    const ann = aUser();
    const mine = await as(ann);
    const status = async (request: string, headers: Readonly<Record<string, string>> = mine) => {
      const answer = await call(face, request, headers);
      expect(typeof answer.detail).toBe('string');
      return answer.status;
    };
    expect(await status('GET notifications', {})).toBe(401);
    expect(await status('GET notifications', { authorization: 'Bearer x' })).toBe(401);
    expect(await status('GET notifications?page=0')).toBe(422);
    expect(await status('GET notifications?page_size=101')).toBe(422);
    expect(await status('GET notifications?page=many')).toBe(422);
    expect(await status('DELETE notifications')).toBe(405);
    expect(await status('GET notifications/no/such/thing')).toBe(404);
    expect(await status('POST notifications/%zz/read')).toBe(422);
    expect(await status('GET ws/stats')).toBe(401);
  });

  test('survives the sockets that the interface leaks when it renews its token, and counts them', async () => {
    const ann = aUser();
    const page = face.store(await tokenOf(ann));
    await vi.waitFor(() => expect(page.open).toBe(1), generous);
    for (let renewal = 0; renewal < 3; renewal += 1) {
      page.renewToken(await tokenOf(ann));
      await vi.waitFor(() => expect(page.open).toBeGreaterThan(renewal), generous);
    }
    let open = 0;
    await vi.waitFor(async () => {
      open = page.open;
      expect(open).toBeGreaterThan(1);
      expect((await stats(face))[ann]).toBe(open);
    }, generous);
    await send(face, ann, { title: 'once per socket' });
    await vi.waitFor(() => expect(page.items).toHaveLength(open), generous);
    expect(page.gaveUp).toBe(false);
  });

  test('ends a leaked socket when the token expires that it was opened with', async () => {
    const ann = aUser();
    const closes: number[] = [];
    for (const token of [await tokenOf(ann, 2), await tokenOf(ann)]) {
      const socket = openSocket(token);
      socket.on('close', (code) => closes.push(code));
      await once(socket, 'open');
    }
    expect((await stats(face))[ann]).toBe(2);
    await vi.waitFor(async () => expect((await stats(face))[ann]).toBe(1), generous);
    expect(closes).toEqual([3005]);
  });

  test('refuses bad tokens in the handshake, so that the backoff of the interface works', async () => {
    const page = face.store('not a token');
    await vi.waitFor(() => expect(page.gaveUp).toBe(true), generous);
    expect([page.accepted, page.attempts.length]).toEqual([0, 11]);
  });

  test('refuses the sockets of a user over the limit in the handshake, and none of the older ones goes', async () => {
    const ann = aUser();
    const token = await tokenOf(ann);
    const received: string[] = [];
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = openSocket(token);
        socket.on('message', (data: Buffer) => {
          received.push((JSON.parse(data.toString()) as { readonly type: string }).type);
        });
        await once(socket, 'open');
        return socket;
      }),
    );
    const page = face.store(token);
    await vi.waitFor(() => expect(page.attempts.length).toBeGreaterThan(3), generous);
    expect(page.accepted).toBe(0);
    await send(face, ann, { title: 'to the twenty' });
    await vi.waitFor(
      () => expect(received.filter((type) => type === 'notification')).toHaveLength(20),
      generous,
    );
    sockets[0]?.close();
    await vi.waitFor(() => expect(page.accepted).toBe(1), generous);
  });

  test.each([
    ['/api/ws/notifications', 101],
    ['/api/notifications/stream', 200],
  ])('%s refuses before it begins', async (address, accepted) => {
    const good = await tokenOf(aUser());
    const [head, body] = good.split('.');
    const ask = (token: string, headers = {}) => knock(`${address}?token=${token}`, headers);
    expect(await ask(good)).toBe(accepted);
    expect(await ask('', { authorization: `Bearer ${good}` })).toBe(accepted);
    expect(await ask(`${head}.${body}.c2lnbmF0dXJl`)).toBe(401);
    expect(await ask(await tokenOf(aUser(), -60))).toBe(401);
    expect(await ask('')).toBe(401);
    expect(await ask(good, { origin: 'https://evil.example' })).toBe(403);
  });

  test('an interface of October 2025 behind a proxy that passes no sockets has its events by the stream', async () => {
    const [ann, bob] = [aUser(), aUser()];
    const port = await freePort();
    // Connections that are kept open, and of the handshake no header: nothing that could be rescued.
    await using proxy = await startNginx(
      port,
      `upstream hub { server ${new URL(face.server.url).host}; keepalive 8; }
server {
  listen 127.0.0.1:${port};
  location / { proxy_pass http://hub; proxy_http_version 1.1; proxy_set_header Connection ""; }
}`,
    );
    const socket = face.store(await tokenOf(ann));
    await vi.waitFor(() => expect(socket.types).toEqual(['connected']), generous);
    await send(face, ann, { title: 'before' });
    await vi.waitFor(() => expect(socket.unread).toBe(1), generous);

    const pages = await Promise.all(
      [ann, ann, bob].map(async (user) => {
        const page = new ArticleStore(proxy.url, await tokenOf(user));
        onTestFinished(() => page[Symbol.dispose]());
        return page;
      }),
    );
    for (const page of pages) {
      await vi.waitFor(() => expect(page.types).toEqual(['connected']), generous);
      expect([page.accepted, page.attempts]).toEqual([0, [0, 1, 3, 7, 15, 31].map(toMs)]);
    }
    expect((await stats(face))[ann]).toBe(3);
    await send(face, ann, { title: 'one' });
    await send(face, ann, { title: 'two' });
    await send(face, bob, { title: 'for bob' });
    for (const page of pages) await vi.waitFor(() => expect(page.unread).toBeGreaterThan(0));
    await vi.waitFor(
      () => expect(pages.map(titles)).toEqual([['two', 'one'], ['two', 'one'], ['for bob']]),
      generous,
    );
    expect(titles(socket)).toEqual(['two', 'one', 'before']);
    expect(socket.attempts).toHaveLength(1);
  });

  test('nothing is left of those who came and went', async () => {
    const ann = aUser();
    const token = await tokenOf(ann);
    const paths = ['/api/ws/notifications', '/api/notifications/stream'];
    const comeAndGo = async (times: number): Promise<void> => {
      for (let round = 0; round < times; round += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, index) => knock(`${paths[index % 2]}?token=${token}`)),
        );
      }
    };
    const { server } = face;
    const left = async () => ({
      sockets: (await stats(face))[ann],
      subscriptions: await server.metric('holdfast_subscriptions'),
      files: await server.metric('holdfast_process_open_fds'),
    });
    await comeAndGo(40);
    await vi.waitFor(async () => expect((await stats(face))[ann]).toBeUndefined(), generous);
    const before = await left();
    await comeAndGo(1_000);
    await vi.waitFor(async () => {
      const { files, ...now } = await left();
      expect({ ...now, files: Math.min(files, before.files) }).toEqual(before);
    }, generous);
  });

  test('after a crash of the server the page comes back by itself; what it missed is listed, not replayed', async () => {
    const ann = aUser();
    const page = face.store(await tokenOf(ann));
    await vi.waitFor(() => expect(page.open).toBe(1), generous);
    await send(face, ann, { title: 'before' });
    await vi.waitFor(() => expect(titles(page)).toEqual(['before']), generous);
    const restarted = face.restart();
    await vi.waitFor(() => expect(page.open).toBe(0), generous);
    await restarted;
    // The interface gives up for good after ten attempts; a user then reloads the page.
    const reloaded = page.gaveUp ? face.store(await tokenOf(ann)) : page;
    await vi.waitFor(() => expect(reloaded.open).toBe(1), generous);
    await send(face, ann, { title: 'after' });
    await vi.waitFor(() => expect(titles(reloaded)[0]).toBe('after'), generous);
    expect(titles(reloaded).filter((title) => title === 'before').length).toBeLessThan(2);
    const { data } = await call(face, 'GET notifications', await as(ann));
    expect(titles(data as LegacyStore)).toEqual(['after', 'before']);
  });
});
