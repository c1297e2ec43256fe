import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Centrifuge } from 'centrifuge';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestServer, testApiKey, type StartedServer } from '../testing/started-server.ts';
import { createToken } from '../tokens/create-token.ts';

const secret = 's'.repeat(32);
const tokenOf = (user: string): Promise<string> => createToken({ user, ttlSeconds: 600, secret });

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-durable-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

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
  await client.ready(10_000);
  return client;
}

test('a notification is stored, listed for its user alone, and pushed', async () => {
  await using server = await startDurableServer();
  const client = await connectAs(server, '42');
  const events: unknown[] = [];
  const subscription = client.newSubscription('inbox:#42');
  subscription.on('publication', ({ data }) => events.push(data));
  subscription.subscribe();
  await subscription.ready(10_000);

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
  await subscription.ready(10_000);
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
