import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInbox, inboxModule } from '@holdfast/inbox';
import { openStore } from '@holdfast/store';
import { testBackends, type TestDatabase } from '@holdfast/store/testing';
import { Centrifuge } from 'centrifuge';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '@holdfast/store/testing/free-port';
import { startChild } from './child.ts';
import { TcpRelay } from './network/tcp-relay.ts';
import { startProgram } from './program.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { onSmallDisk } from './store/small-disk.ts';

const apiKey = 'key-of-a-test';
/** Users are told by a header, as behind a proxy that authenticates. */
const userHeader = 'X-Test-User';

function configOn(database: Pick<TestDatabase, 'url'>): object {
  return {
    store: { url: database.url },
    http_api: { key: apiKey },
    client: { user_id_http_header: userHeader },
    health: { enabled: true },
    tasks: { kinds: [{ name: 'report' }] },
  };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-durable-server-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server that is killed at the end of the test, if it lives. */
async function start(folder: string, config: object): Promise<ServerProcess> {
  const server = await startServerProcess(folder, config);
  onTestFinished(() => server.kill());
  return server;
}

function post(url: string, body: object): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'X-API-Key': apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function call(
  url: string,
  { body, headers = { 'X-API-Key': apiKey } }: { body?: object; headers?: Record<string, string> },
): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    headers: { 'Content-Type': 'application/json', ...headers },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

function send(server: ServerProcess, user: string, title: string): Promise<object> {
  const body = { to: { user }, category: 'orders', title };
  return call(`${server.url}/api/inbox/send`, { body });
}

async function titlesOf(server: ServerProcess, user: string): Promise<readonly unknown[]> {
  const { items } = await call(`${server.url}/api/inbox/me`, { headers: { [userHeader]: user } });
  return (items as readonly { readonly title: string }[]).map(({ title }) => title);
}

/** A stock client of a user, and the titles that were pushed to it. */
async function watch(server: ServerProcess, user: string): Promise<string[]> {
  const Socket = class extends WebSocket {
    constructor(url: string) {
      super(url, { headers: { [userHeader]: user } });
    }
  };
  const client = new Centrifuge(server.websocketUrl, { websocket: Socket });
  onTestFinished(() => client.disconnect());
  const titles: string[] = [];
  const subscription = client.newSubscription(`inbox:#${user}`);
  subscription.on('publication', ({ data }) => titles.push(data.notification.title));
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  return titles;
}

/** What no database can make shorter. */
function noise(): object {
  return { noise: randomBytes(11_000).toString('base64') };
}

describe.each(testBackends)('a server on $name', (backend) => {
  test('keeps what it acknowledged through a SIGKILL, and publishes what was not', async () => {
    await using database = await backend.create();
    const folder = temporaryFolder();
    const config = configOn(database);
    const first = await start(folder, config);
    const pushed = await watch(first, '42');
    await send(first, '42', 'first');
    await vi.waitFor(() => expect(pushed).toEqual(['first']), { timeout: 60_000 });
    const { id } = await call(`${first.url}/api/tasks`, { body: { kind: 'report', owner: '42' } });
    await first.kill();

    // A server that dies between its commit and its publish leaves exactly this behind.
    const store = await openStore({ url: database.url, modules: [inboxModule] });
    const inbox = createInbox({
      store,
      position: () => Promise.resolve({ offset: 0, epoch: '' }),
    });
    await inbox.send({ to: { user: '42' }, category: 'orders', title: 'second' });
    await inbox.close();
    await store.close();

    const second = await start(folder, config);
    expect(await titlesOf(second, '42')).toEqual(['second', 'first']);
    expect(
      await call(`${second.url}/api/tasks/me/${String(id)}`, { headers: { [userHeader]: '42' } }),
    ).toMatchObject({ task: { id, kind: 'report' } });
    const history = async (): Promise<unknown> => {
      const body = { channel: 'inbox:#42', limit: 10 };
      const { result } = await call(`${second.url}/api/history`, { body });
      return result;
    };
    await vi.waitFor(
      async () =>
        expect(await history()).toMatchObject({
          publications: [{ data: { type: 'created', notification: { title: 'second' } } }],
        }),
      { timeout: 60_000 },
    );
    const after = await watch(second, '42');
    await send(second, '42', 'third');
    await vi.waitFor(() => expect(after).toEqual(['third']), { timeout: 60_000 });
    expect(await titlesOf(second, '43')).toEqual([]);
    expect(await second.stop()).toBe(0);
  });
});

test('PostgreSQL on a disk that is really full: sends are refused and leave nothing, readiness says why, and it goes on when there is room', async () => {
  const disk = temporaryFolder();
  const script = path.join(import.meta.dirname, 'store/postgres-on-small-disk.ts');
  const postgres = startChild(script, [disk, 'tables'], onSmallDisk(disk, 24));
  onTestFinished(() => void postgres.process.stdin?.end());
  await postgres.waitFor(/^postgres:/);
  const [url = ''] = postgres.lines;
  const server = await start(temporaryFolder(), {
    ...configOn({ url }),
  });
  const pushed = await watch(server, '42');
  const concerns = async (): Promise<unknown> => (await call(`${server.url}/ready`, {})).concerns;

  const acknowledged: string[] = [];
  const refused: { readonly title: string; readonly status: number; readonly error: unknown }[] =
    [];
  let sent = 0;
  const trySend = async (): Promise<void> => {
    const title = String((sent += 1));
    const body = { to: { user: '42' }, category: 'orders', title, data: noise() };
    const response = await post(`${server.url}/api/inbox/send`, body);
    const { error } = (await response.json()) as { readonly error?: unknown };
    if (response.ok) acknowledged.push(title);
    else refused.push({ title, status: response.status, error });
  };
  const sendMany = () => Promise.all(Array.from({ length: 16 }, trySend));
  while (refused.length < 32) await sendMany();
  expect(acknowledged.length).toBeGreaterThan(50);
  for (const refusal of refused) {
    expect(refusal).toMatchObject({
      status: 507,
      error: { code: 'store_disk_full', retryable: true },
    });
  }
  expect(await concerns()).toEqual([
    expect.stringMatching(/^the store cannot be used right now \(store_disk_full: free disk space/),
  ]);
  const listed = await titlesOf(server, '42');
  expect(listed.length).toBeGreaterThan(0);
  expect(acknowledged).toEqual(expect.arrayContaining([...listed]));

  postgres.process.stdin?.write('\n');
  await postgres.waitFor(/there is room/);
  const before = refused.length;
  await sendMany();
  expect(refused).toHaveLength(before);
  await vi.waitFor(
    async () => {
      await trySend();
      expect(await concerns()).toBeUndefined();
    },
    { timeout: 60_000, interval: 500 },
  );
  await vi.waitFor(() => expect(pushed).toHaveLength(acknowledged.length), { timeout: 60_000 });
  expect(pushed.toSorted()).toEqual(acknowledged.toSorted());
  await using store = await openStore({ url, modules: [inboxModule] });
  const { rows } = await store.read((db) =>
    sql<{ title: string }>`select title from inbox_notifications`.execute(db),
  );
  expect(rows.map(({ title }) => title).toSorted()).toEqual(acknowledged.toSorted());
});

test('PostgreSQL whose WAL is on a disk that is really full: nothing acknowledged is lost, readiness says that it is away, and it goes on when there is room', async () => {
  const disk = temporaryFolder();
  const script = path.join(import.meta.dirname, 'store/postgres-on-small-disk.ts');
  const postgres = startChild(script, [disk, 'wal'], onSmallDisk(disk, 36));
  onTestFinished(() => void postgres.process.stdin?.end());
  await postgres.waitFor(/^postgres:/);
  const [url = ''] = postgres.lines;
  const config = { ...configOn({ url }), store: { url, max_wait: '500ms' } };
  const server = await start(temporaryFolder(), config);
  const pushed = await watch(server, '42');
  const concerns = async (): Promise<unknown> => (await call(`${server.url}/ready`, {})).concerns;

  /** The code of the refusal, if it is one; each has a key, so that it can be tried again. */
  const trySend = async (title: string): Promise<unknown> => {
    const to = { user: '42' };
    const body = { to, category: 'orders', title, data: noise(), idempotencyKey: title };
    const response = await post(`${server.url}/api/inbox/send`, body);
    if (response.ok) return undefined;
    const { error } = (await response.json()) as { readonly error: Record<string, unknown> };
    expect(error).toMatchObject({ retryable: true });
    return error.code;
  };
  const refused = new Map<string, unknown>();
  let sent = 0;
  // It may come back a few times while small changes fit into what is left of the last segment.
  while (!postgres.lines.includes('it cannot start')) {
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        const title = String((sent += 1));
        const code = await trySend(title);
        if (code !== undefined) refused.set(title, code);
      }),
    );
  }
  // Those that met the end are told what is known of it, all later ones that it is away.
  const ends = ['store_disk_full', 'store_commit_unknown', 'store_unreachable', 'store_busy'];
  for (const code of refused.values()) expect(ends).toContain(code);
  const later = String((sent += 1));
  refused.set(later, await trySend(later));
  expect(refused.get(later)).toBe('store_unreachable');
  expect(await concerns()).toEqual([
    expect.stringMatching(
      /^the store cannot be used right now \(store_unreachable: check that the database runs/,
    ),
  ]);

  postgres.process.stdin?.write('\n');
  await postgres.waitFor(/there is room/);
  for (const title of refused.keys()) {
    await vi.waitFor(async () => expect(await trySend(title)).toBeUndefined(), {
      timeout: 60_000,
      interval: 100,
    });
  }
  await vi.waitFor(async () => expect(await concerns()).toBeUndefined(), { timeout: 60_000 });
  const all = Array.from({ length: sent }, (_, index) => String(index + 1)).toSorted();
  await vi.waitFor(() => expect(pushed).toHaveLength(sent), { timeout: 60_000 });
  expect(pushed.toSorted()).toEqual(all);
  await using store = await openStore({ url, modules: [inboxModule] });
  const { rows } = await store.read((db) =>
    sql<{ title: string }>`select title from inbox_notifications`.execute(db),
  );
  expect(rows.map(({ title }) => title).toSorted()).toEqual(all);
});

test('a second server of the same file is told why it cannot start', async () => {
  const folder = temporaryFolder();
  const config = { http_api: { key: apiKey }, store: { sqlite: { owner_wait: '100ms' } } };
  await start(folder, config);
  await expect(start(folder, config)).rejects.toThrow(/another process is serving.*data_dir/s);
});

test('a place that cannot hold a database is told, with what to do', async () => {
  const folder = temporaryFolder();
  const config = { http_api: { key: apiKey }, store: { url: `sqlite:${folder}` } };
  await expect(start(folder, config)).rejects.toThrow(/cannot be opened.*store\.enabled/s);
});

const upgrade = (user: string): string =>
  `GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${userHeader}: ${user}\r\n\r\n`;

/** A short text frame of a client, masked with zeros. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** A connected user who is subscribed to the own inbox, at the cost of one socket. */
function openUser(url: string, user: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host: hostname, port: Number(port) }, () => {
      socket.write(upgrade(user));
    });
    let received = '';
    const read = (chunk: Buffer): void => {
      const hadUpgraded = received.includes('\r\n\r\n');
      received += chunk.toString('latin1');
      if (!hadUpgraded && received.includes('\r\n\r\n')) {
        const subscribe = `{"id":2,"subscribe":{"channel":"inbox:#${user}"}}`;
        socket.write(frame(`{"id":1,"connect":{}}\n${subscribe}`));
      }
      if (!received.includes('"id":2')) return;
      socket.off('data', read).resume();
      if (received.includes('"error"')) reject(new Error(received));
      else resolve(socket);
    };
    socket.on('data', read).on('error', reject);
  });
}

/** Everything that a process has open, apart from sockets: those of clients come and go. */
function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(path.join(folder, name));
    } catch {
      return 'socket: closed meanwhile';
    }
  });
  return targets.filter((target) => !target.startsWith('socket:')).toSorted();
}

const openAtOnce = 100;
/** Of SQLite one that writes and one that reads; of PostgreSQL a pool of five and one that listens. */
const allConnections = { SQLite: 2, PostgreSQL: 6 };

describe.each(testBackends)('connections on $name', { timeout: 300_000 }, (backend) => {
  test('to the database and to files are as many with 10,000 users as with 10', async () => {
    await using database = await backend.create();
    const server = await start(temporaryFolder(), {
      ...configOn(database),
      // They never answer a ping, and to open them all may take longer than a ping has time.
      client: { user_id_http_header: userHeader, ping_interval: '1h' },
    });
    const connections = allConnections[backend.name];
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    const measure = async (total: number) => {
      while (sockets.length < total) {
        const users = Array.from(
          { length: Math.min(openAtOnce, total - sockets.length) },
          (_, index) => `user-${sockets.length + index}`,
        );
        sockets.push(...(await Promise.all(users.map((user) => openUser(server.url, user)))));
      }
      expect(await server.metric('holdfast_clients')).toBe(total);
      const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
      await Promise.all(users.map((user) => send(server, user, 'hello')));
      // The pool is used to its end before it is counted, by reads: sends share their transactions.
      await vi.waitFor(
        async () => {
          await Promise.all(users.map((user) => titlesOf(server, user)));
          expect(await server.metric('holdfast_store_connections')).toBe(connections);
        },
        { timeout: 60_000 },
      );
      await vi.waitFor(
        async () =>
          expect(await server.metric('holdfast_outbox_published_total')).toBeGreaterThan(0),
        { timeout: 60_000 },
      );
      return {
        database: await server.metric('holdfast_store_connections'),
        // What the database itself says.
        sessions: await database.countConnections(),
        files: openFiles(server.pid),
      };
    };
    const few = await measure(10);
    expect(few.sessions).toBe(backend.name === 'PostgreSQL' ? few.database : 0);
    expect(await measure(10_000)).toEqual(few);
  });
});

describe('a server that starts before its PostgreSQL', () => {
  async function startBefore(database: TestDatabase, relay: TcpRelay, startWait: string) {
    const cwd = temporaryFolder();
    const url = new URL(database.url);
    relay.target = Number(url.port);
    relay.mode = 'down';
    url.port = String(relay.port);
    const port = await freePort();
    const config = {
      ...configOn({ url: url.href }),
      http_server: { address: '127.0.0.1', port },
      data_dir: path.join(cwd, 'data'),
    };
    const sections = { ...config, store: { url: url.href, postgres: { start_wait: startWait } } };
    writeFileSync(path.join(cwd, 'config.json'), JSON.stringify(sections));
    const program = startProgram(['serve', '--config', 'config.json'], { cwd });
    return { program, ready: () => fetch(`http://127.0.0.1:${port}/ready`) };
  }
  const postgres = testBackends[1] as (typeof testBackends)[number];

  test('says that it waits, answers 503 meanwhile, and goes on when it is there', async () => {
    await using database = await postgres.create();
    await using relay = await TcpRelay.start(0);
    const { program, ready } = await startBefore(database, relay, '10m');
    await program.seen(/the store cannot be used yet; the start waits for it, 600 s at most/);
    const response = await ready();
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: 'starting' } });
    relay.mode = 'open';
    await program.seen(/the store can be used now.*the server is running/s);
    expect((await ready()).status).toBe(200);
    program.process.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });

  test('ends in order when it is asked to while it waits, and in failure when it has waited enough', async () => {
    await using database = await postgres.create();
    await using relay = await TcpRelay.start(0);
    const asked = await startBefore(database, relay, '10m');
    await asked.program.seen(/the start waits for it/);
    asked.program.process.kill('SIGTERM');
    expect(await asked.program.ended).toBe(0);
    expect(asked.program.output.err).toContain('The server was not started.');
    const { program } = await startBefore(database, relay, '0s');
    expect(await program.ended).toBe(1);
    expect(program.output.err).toMatch(/The store cannot be opened: .* cannot be reached/);
  });
});
