import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Centrifuge } from 'centrifuge';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startChild, type Child } from '../child.ts';
import { startRunningTime } from '../running-time.ts';
import { startServerProcess, type ServerProcess } from '../server-process.ts';

const patience = { timeout: 60_000, interval: 50 };
const key = 'the-key-of-the-application';
const token = 'the-token-of-the-workers';
const leaseMs = 3000;
const secret = 's'.repeat(32);
let folder: string;
let server: ServerProcess;

/** The same server again, at the same place. */
async function serve(port = 0): Promise<ServerProcess> {
  const started = await startServerProcess(folder, {
    http_server: { address: '127.0.0.1', port },
    http_api: { key },
    client: { token: { hmac_secret_key: secret }, allow_anonymous_connect_without_token: true },
    store: {},
    tasks: {
      worker_token: token,
      kinds: [
        { name: 'report', lease: '3s', heartbeat: '500ms', backoff_min: '1ms' },
        { name: 'steady', lease: '60s', heartbeat: '500ms' },
      ],
    },
  });
  onTestFinished(() => started.kill());
  return started;
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-workers-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  server = await serve();
});

async function post(route: string, body: object = {}): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.url}/api/tasks${route}`, {
    method: 'POST',
    headers: { 'X-API-Key': key, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Record<string, unknown>;
}

async function request(payload: unknown, kind = 'report'): Promise<string> {
  const { id } = await post('', { kind, payload });
  return id as string;
}

async function expectTask(id: string, expected: object): Promise<void> {
  await vi.waitFor(async () => {
    const response = await fetch(`${server.url}/api/tasks/${id}`, {
      headers: { 'X-API-Key': key },
    });
    expect(await response.json()).toMatchObject({ task: expected });
  }, patience);
}

function connect(data: object): Centrifuge {
  const client = new Centrifuge(server.websocketUrl, { websocket: WebSocket, data });
  onTestFinished(() => client.disconnect());
  client.connect();
  return client;
}

async function startWorker(name: string): Promise<Child> {
  const script = path.join(import.meta.dirname, 'socket-worker-process.ts');
  const worker = startChild(script, [server.websocketUrl, token, name]);
  onTestFinished(() => worker.kill());
  await worker.waitFor(/^ready$/);
  return worker;
}

test('a stock client is a worker: told of work, with the bodies, answers and codes of HTTP', async () => {
  const client = connect({ holdfast_worker: token });
  const told: unknown[] = [];
  client.on('message', ({ data }) => told.push(data));
  await client.ready(60_000);
  const call = async (method: string, body: object) =>
    (await client.rpc(`tasks.${method}`, body)).data as Record<string, unknown>;
  const claim = () => call('claim', { worker: 'stock', kinds: ['report'] });
  expect(await claim()).toEqual({ tasks: [] });
  const id = await request({ n: 1 });
  await vi.waitFor(() => expect(told).toEqual([{ type: 'work', kinds: ['report'] }]), patience);
  const { tasks } = (await claim()) as { tasks: { id: string; token: number }[] };
  expect(tasks).toMatchObject([{ id, payload: { n: 1 }, attempt: 1 }]);
  const lease = { id, token: tasks[0]!.token };
  expect(await call('progress', { ...lease, fraction: 0.5 })).toMatchObject({
    isCancelRequested: false,
  });
  await expectTask(id, { status: 'running', progress: 0.5 });
  await expect(call('progress', { ...lease, fraction: 2 })).rejects.toMatchObject({ code: 1403 });
  await expect(call('complete', { ...lease, token: 7 })).rejects.toMatchObject({
    code: 1409,
    message: expect.stringContaining('task_fenced'),
  });
  await expect(call('claim', { worker: 'stock', kinds: ['none'] })).rejects.toMatchObject({
    code: 1402,
  });
  await expect(call('dance', {})).rejects.toMatchObject({ code: 104 });
  expect(await call('complete', { ...lease, result: 'done' })).toEqual({});
  await expectTask(id, { status: 'completed', result: 'done' });

  const stranger = connect({});
  await stranger.ready(60_000);
  await expect(
    stranger.rpc('tasks.claim', { worker: 'x', kinds: ['report'] }),
  ).rejects.toMatchObject({ code: 108 });
  const liar = connect({ holdfast_worker: 'guessed' });
  const end = await new Promise((resolve) => liar.on('disconnected', resolve));
  expect(end).toMatchObject({ code: 3500 });
});

test('a worker is told of work, of cancels, and of leases that it lost while it was stopped', async () => {
  const worker = await startWorker('first');
  const good = await request('good');
  await expectTask(good, { status: 'completed', result: 'first', output: { seq: 1 } });
  const bad = await request('bad');
  await expectTask(bad, { status: 'failed', error: 'Error: never', attempt: 1 });
  const cancelled = await request('hold');
  await worker.waitFor(new RegExp(`^start ${cancelled}`));
  await post(`/${cancelled}/cancel`);
  await worker.waitFor(new RegExp(`^stop ${cancelled} cancelled$`));
  await expectTask(cancelled, { status: 'cancelled' });

  const held = await request('hold');
  await worker.waitFor(new RegExp(`^start ${held} 1 null`));
  await expectTask(held, { checkpoint: { page: 1 } });
  worker.process.kill('SIGSTOP');
  const other = await startWorker('other');
  // It goes on from the checkpoint that the first one left.
  await other.waitFor(new RegExp(`^start ${held} 2 {"page":1}`));
  worker.process.kill('SIGCONT');
  await worker.waitFor(new RegExp(`^stop ${held} lease_lost$`));
  await worker.waitFor(new RegExp(`^refused ${held}$`));
  await expectTask(held, { status: 'running', attempt: 2, checkpoint: { page: 2 } });
  const sinceKill = await startRunningTime();
  await other.kill();
  await worker.waitFor(new RegExp(`^start ${held} 3 {"page":2}`));
  expect(sinceKill.elapsedMs).toBeLessThan(leaseMs + 3000);
  worker.process.kill('SIGTERM');
  await worker.waitFor(/^closed$/);
  await expectTask(held, { status: 'retrying', reason: 'released', checkpoint: 'last words' });
});

test('the server is killed and comes back: the worker goes on with the lease that it has', async () => {
  const worker = await startWorker('steady');
  const id = await request('hold', 'steady');
  await worker.waitFor(new RegExp(`^start ${id} 1`));
  await expectTask(id, { status: 'running', checkpoint: { page: 1 } });
  await server.kill();
  server = await serve(Number(new URL(server.url).port));
  const later = await request('good');
  await expectTask(later, { status: 'completed', result: 'steady' });
  await expectTask(id, { status: 'running', attempt: 1 });
  await post(`/${id}/cancel`);
  await worker.waitFor(new RegExp(`^stop ${id} cancelled$`));
  await expectTask(id, { status: 'cancelled' });
  expect(worker.lines.filter((line) => line.startsWith('start'))).toHaveLength(2);
});
