import { generateKeyPairSync } from 'node:crypto';
import { forgeToken, JwksServer, respondWith } from '@holdfast/hub/testing';
import { Centrifuge } from 'centrifuge';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '@holdfast/store/testing/free-port';
import { startTestServer, testApiKey, type StartedServer } from '../testing/started-server.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { createToken } from '../tokens/create-token.ts';

const secret = 's'.repeat(32);
const tokenOf = (user: string): Promise<string> => createToken({ user, ttlSeconds: 600, secret });

function startDurableServer(sections: object = {}): Promise<StartedServer> {
  return startTestServer({
    data_dir: temporaryFolder(),
    store: {},
    client: { token: { hmac_secret_key: secret } },
    tasks: { kinds: [{ name: 'report' }] },
    ...sections,
  });
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(url: string, headers: Record<string, string>, body: object): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

function send(server: StartedServer, user: string, title: string): Promise<Answer> {
  const request = { to: { user }, category: 'orders', title };
  return post(`${server.url}/api/inbox/send`, { 'X-API-Key': testApiKey }, request);
}

async function connectAs(server: StartedServer, user: string): Promise<Centrifuge> {
  const client = new Centrifuge(server.websocketUrl, {
    websocket: WebSocket,
    token: await tokenOf(user),
  });
  onTestFinished(() => client.disconnect());
  client.connect();
  await client.ready(60_000);
  return client;
}

test('a notification is stored, listed for its user alone, and pushed', async () => {
  await using server = await startDurableServer();
  const client = await connectAs(server, '42');
  const events: unknown[] = [];
  const subscription = client.newSubscription('inbox:#42');
  subscription.on('publication', ({ data }) => events.push(data));
  subscription.subscribe();
  await subscription.ready(60_000);

  expect(await send(server, '42', 'hello')).toMatchObject({ status: 200, body: { created: 1 } });
  await vi.waitFor(() => {
    expect(events).toMatchObject([{ type: 'created', notification: { title: 'hello' } }]);
  });

  const listFor = async (user: string): Promise<unknown> => {
    const headers = { Authorization: `Bearer ${await tokenOf(user)}` };
    return (await fetch(`${server.url}/api/inbox/me`, { headers })).json();
  };
  expect(await listFor('42')).toMatchObject({
    items: [{ title: 'hello' }],
    channel: 'inbox:#42',
    position: { offset: 1 },
  });
  expect(await listFor('43')).toMatchObject({ items: [] });
});

test('a task is asked for, worked on over HTTP, and watched by its owner alone', async () => {
  await using server = await startDurableServer();
  const asked = await post(
    `${server.url}/api/tasks`,
    { 'X-API-Key': testApiKey },
    { kind: 'report', owner: '42', payload: { month: 7 } },
  );
  expect(asked).toMatchObject({ status: 200, body: { outcome: 'started' } });
  const id = String(asked.body['id']);
  const headers = { Authorization: `Bearer ${await tokenOf('42')}` };
  const read = await (await fetch(`${server.url}/api/tasks/me/${id}`, { headers })).json();
  expect(read).toMatchObject({ task: { id, kind: 'report' }, channel: `task:${id}#42` });
  const stranger = { Authorization: `Bearer ${await tokenOf('43')}` };
  expect((await fetch(`${server.url}/api/tasks/me/${id}`, { headers: stranger })).status).toBe(404);

  const client = await connectAs(server, '42');
  const changes: unknown[] = [];
  const subscription = client.newSubscription(`task:${id}#42`);
  subscription.on('publication', ({ data }) => changes.push(...data.changes));
  subscription.subscribe();
  await subscription.ready(60_000);
  const other = (await connectAs(server, '43')).newSubscription(`task:${id}#42`);
  const refused = new Promise((resolve) => other.on('unsubscribed', ({ code }) => resolve(code)));
  other.subscribe();
  expect(await refused).toBe(103);

  const worker = { Authorization: `Bearer ${testApiKey}` };
  const claimed = await post(`${server.url}/api/worker/claim`, worker, {
    worker: 'w1',
    kinds: ['report'],
  });
  const [task] = claimed.body['tasks'] as readonly { id: string; token: number }[];
  expect(task).toMatchObject({ id, payload: { month: 7 } });
  await post(`${server.url}/api/worker/tasks/${id}/complete`, worker, {
    token: task?.token,
    result: { rows: 17 },
  });
  await vi.waitFor(() => expect(changes).toEqual(expect.arrayContaining(['started', 'completed'])));
});

test('users subscribe by themselves to open topics alone, servers subscribe them to any', async () => {
  await using server = await startDurableServer({ inbox: { open_topics: ['news'] } });
  const put = async (path: string, headers: Record<string, string>): Promise<number> =>
    (await fetch(`${server.url}/api/inbox/${path}`, { method: 'PUT', headers })).status;
  const bearer = { Authorization: `Bearer ${await tokenOf('42')}` };
  expect(await put('me/topics/news', bearer)).toBe(200);
  expect(await put('me/topics/board', bearer)).toBe(403);
  expect(await put('users/42/topics/board', { 'X-API-Key': testApiKey })).toBe(200);
  await using closed = await startDurableServer();
  const mine = `${closed.url}/api/inbox/me/topics/news`;
  expect((await fetch(mine, { method: 'PUT', headers: bearer })).status).toBe(403);
});

describe('who may come in', () => {
  const statusOf = async (url: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(url, { headers })).status;

  test('backends need the key, users a token that still counts', async () => {
    await using server = await startDurableServer();
    const counts = `${server.url}/api/inbox/users/42/counts`;
    expect(await statusOf(counts)).toBe(401);
    expect(await statusOf(counts, { 'X-API-Key': 'wrong' })).toBe(401);
    expect(await statusOf(counts, { 'X-API-Key': testApiKey })).toBe(200);
    const mine = `${server.url}/api/inbox/me`;
    const bearer = { Authorization: `Bearer ${await tokenOf('42')}` };
    expect(await statusOf(mine, { 'X-API-Key': testApiKey })).toBe(401);
    expect(await statusOf(counts, bearer)).toBe(401);
    expect(await statusOf(mine, bearer)).toBe(200);
    const forged = await createToken({ user: '42', ttlSeconds: 600, secret: 'x'.repeat(32) });
    const expired = await createToken({
      user: '42',
      ttlSeconds: 1,
      secret,
      now: 1_700_000_000_000,
    });
    const whyNot = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await fetch(mine, { headers });
      return { status: response.status, ...((await response.json()) as object) };
    };
    const refusedBecause = (why: string) => ({
      status: 401,
      error: { code: 'unauthorized', message: expect.stringContaining(why), retryable: false },
    });
    expect(await whyNot({})).toEqual(refusedBecause('is missing'));
    expect(await whyNot({ Authorization: `Bearer ${forged}` })).toEqual(
      refusedBecause('not taken here'),
    );
    expect(await whyNot({ Authorization: `Bearer ${expired}` })).toEqual(
      refusedBecause('has expired'),
    );
    await server.call('block_user', { user: '42' });
    expect(await whyNot(bearer)).toEqual(refusedBecause('blocked'));
    expect(await statusOf(`${server.url}/api/worker/claim`, bearer)).toBe(401);
  });

  test('a token whose keys cannot be read is no refused one: 503, and when to come back', async () => {
    await using keys = await JwksServer.start();
    keys.answer = respondWith('', 503);
    await using server = await startDurableServer({
      client: { token: { jwks_public_endpoint: keys.url() } },
      inbox: { faces: { tradingagents: true } },
    });
    const { privateKey } = generateKeyPairSync('ed25519');
    const token = forgeToken({
      alg: 'EdDSA',
      key: privateKey,
      header: { kid: 'k' },
      claims: { sub: '42' },
    });
    const ask = (path: string): Promise<Response> =>
      fetch(server.url + path, { headers: { Authorization: `Bearer ${token}` } });
    for (const path of ['/api/inbox/me', '/api/tasks/me', '/api/notifications']) {
      const response = await ask(path);
      expect([path, response.status, response.headers.get('retry-after')]).toEqual([
        path,
        503,
        '5',
      ]);
    }
    expect(await (await ask('/api/inbox/me')).json()).toMatchObject({
      error: { code: 'authentication_unavailable', retryable: true },
    });
  });

  test('a user who asks too fast is told when to come back, for all that is theirs together', async () => {
    await using server = await startDurableServer({
      client: {
        token: { hmac_secret_key: secret },
        http_rate_limit: { user_requests_per_second: 1, user_request_burst: 3 },
      },
      inbox: { faces: { tradingagents: true } },
      prometheus: { enabled: true },
    });
    const ask = async (user: string, path: string): Promise<Response> =>
      fetch(server.url + path, { headers: { Authorization: `Bearer ${await tokenOf(user)}` } });
    const paths = ['/api/inbox/me', '/api/tasks/me', '/api/notifications'];
    const begun = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const answer = await ask('42', paths[index % paths.length] ?? '');
        const retryAfter = answer.headers.get('retry-after');
        return { status: answer.status, retryAfter, text: await answer.text() };
      }),
    );
    const seconds = (performance.now() - begun) / 1_000;
    const refused = answers.filter(({ status }) => status !== 200);
    // The burst and what was earned meanwhile.
    expect(answers.length - refused.length).toBeLessThanOrEqual(3 + seconds + 1);
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 429, retryAfter: '1' });
      expect(answer.text).toContain('client.http_rate_limit');
    }
    expect((await ask('43', '/api/inbox/me')).status).toBe(200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain(`holdfast_rate_limited_requests_total ${refused.length}\n`);
  });

  test('pages of allowed origins may call what is for users, others and the rest not', async () => {
    await using server = await startDurableServer({
      client: {
        token: { hmac_secret_key: secret },
        allowed_origins: ['https://app.example.com'],
      },
    });
    const preflight = (path: string, origin: string): Promise<Response> =>
      fetch(server.url + path, {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'authorization,content-type',
        },
      });
    const good = await preflight('/api/inbox/me/read', 'https://app.example.com');
    expect(good.status).toBe(204);
    expect(Object.fromEntries(good.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-allow-methods': expect.stringContaining('POST'),
    });
    const bad = await preflight('/api/inbox/me/read', 'https://evil.example');
    expect(bad.status).toBe(403);
    const forServers = await preflight('/api/inbox/send', 'https://app.example.com');
    expect(forServers.headers.get('access-control-allow-origin')).toBeNull();
    const answer = await fetch(`${server.url}/api/tasks/me`, {
      headers: {
        Origin: 'https://app.example.com',
        Authorization: `Bearer ${await tokenOf('42')}`,
      },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
  });

  test.each(['a,b', 'a#b', 'Zoë', 'x'.repeat(250)])(
    'the channel of the user %j is open to that user alone',
    async (user) => {
      await using server = await startDurableServer();
      const headers = { Authorization: `Bearer ${await tokenOf(user)}` };
      const snapshot = await (await fetch(`${server.url}/api/inbox/me`, { headers })).json();
      const { channel } = snapshot as { channel: string };
      const pushed: unknown[] = [];
      const own = (await connectAs(server, user)).newSubscription(channel);
      own.on('publication', ({ data }) => pushed.push(data));
      own.subscribe();
      await own.ready(60_000);
      for (const stranger of ['a', 'b', 'c']) {
        const other = (await connectAs(server, stranger)).newSubscription(channel);
        const refused = new Promise((resolve) => {
          other.on('unsubscribed', ({ code }) => resolve(code));
        });
        other.subscribe();
        expect(await refused).toBe(103);
      }
      await send(server, user, 'hello');
      await vi.waitFor(() => expect(pushed).toHaveLength(1));
    },
  );
});

test('with an internal port, users reach their own on the other one and nothing else', async () => {
  const port = await freePort();
  await using server = await startDurableServer({ http_server: { internal_port: port } });
  const internal = `http://127.0.0.1:${port}`;
  const paths = [
    '/api/inbox/users/42/counts',
    '/api/tasks/kinds',
    '/api/inbox/me',
    '/api/tasks/me',
  ];
  const statuses = async (url: string): Promise<readonly number[]> => {
    const headers = {
      'X-API-Key': testApiKey,
      Authorization: `Bearer ${await tokenOf('42')}`,
    };
    return Promise.all(paths.map(async (path) => (await fetch(url + path, { headers })).status));
  };
  expect(await statuses(server.url)).toEqual([404, 404, 200, 200]);
  expect((await statuses(internal)).slice(0, 2)).toEqual([200, 200]);
});

test('what waits for a worker is a concern, with its reason', async () => {
  await using server = await startDurableServer({ health: { enabled: true } });
  await post(`${server.url}/api/tasks`, { 'X-API-Key': testApiKey }, { kind: 'report' });
  await vi.waitFor(
    async () => {
      expect(await (await fetch(`${server.url}/ready`)).json()).toMatchObject({
        ready: true,
        concerns: [expect.stringMatching(/1 tasks of kind report wait.*start one/)],
      });
    },
    { timeout: 60_000 },
  );
});

test('a stop ends workers that wait and readers that follow, and lets nobody wait for them', async () => {
  const server = await startDurableServer();
  const { body } = await post(
    `${server.url}/api/tasks`,
    { 'X-API-Key': testApiKey },
    { kind: 'report', delayMs: 3_600_000 },
  );
  const reader = await fetch(`${server.url}/api/tasks/${String(body['id'])}/output?follow=true`, {
    headers: { 'X-API-Key': testApiKey },
  });
  const claim = post(
    `${server.url}/api/worker/claim`,
    { Authorization: `Bearer ${testApiKey}` },
    { worker: 'w1', kinds: ['report'], waitMs: 20_000 },
  );
  await vi.waitFor(async () => {
    const tasks = await server.running.durable?.tasks?.workers();
    expect(tasks).toMatchObject([{ id: 'w1' }]);
  });
  const begun = performance.now();
  await server.running.stop();
  expect(performance.now() - begun).toBeLessThan(15_000);
  expect((await claim).body).toEqual({ tasks: [] });
  await reader.text();
});
