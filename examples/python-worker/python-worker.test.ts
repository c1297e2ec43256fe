import { createServer } from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { openStore } from '@holdfast/store';
import { testBackends } from '@holdfast/store/testing';
import { createTasks, createWorkerApi, taskModule, type TaskTables } from '@holdfast/tasks';
import { describe, expect, test, vi } from 'vitest';
import { startRunningTime } from '../../conformance/running-time.ts';

const patience = { timeout: 60_000, interval: 20 };
const token = 'a-worker-token';
const leaseMs = 1500;

async function openServer(url: string) {
  const store = await openStore<TaskTables>({ url, modules: [taskModule] });
  const kinds = {
    'word-count': { leaseMs, heartbeatMs: 300, backoff: { baseMs: 1 }, cancelGraceMs: 5000 },
  };
  const tasks = await createTasks({ store, kinds, sweepMs: 100, pollMs: 50 });
  await tasks.start();
  const handle = createWorkerApi({ tasks, tokens: [token] });
  const server = createServer((incoming, outgoing) => {
    const abort = new AbortController();
    outgoing.on('close', () => abort.abort());
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    const answer = async (): Promise<void> => {
      const response = await handle(
        new Request(`http://127.0.0.1${incoming.url}`, {
          method: incoming.method ?? 'GET',
          headers: incoming.headers as Record<string, string>,
          ...(incoming.method === 'POST' ? { body: Buffer.concat(chunks) } : {}),
          signal: abort.signal,
        }),
      );
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      outgoing.end(Buffer.from(await response.arrayBuffer()));
    };
    incoming.on('end', () => void answer());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return {
    tasks,
    url: `http://127.0.0.1:${address.port}/api/worker`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await tasks.close();
      await store.close();
    },
  };
}

function startWorker(url: string) {
  const child = startOwned('python3', [path.join(import.meta.dirname, 'worker.py')], {
    env: { ...process.env, HOLDFAST_URL: url, HOLDFAST_TOKEN: token, PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = once(child, 'exit');
  return {
    child,
    exited,
    get output() {
      return output;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe.each(testBackends)('a worker in Python on $name', (backend) => {
  test('works, is killed and stopped and cancelled, and nothing stays stuck', async () => {
    await using database = await backend.create();
    await using server = await openServer(database.url);
    const { tasks } = server;
    const lines = Array.from({ length: 200 }, () => 'sea weed').join('\n');
    const slow = { kind: 'word-count', payload: { text: lines, secondsPerLine: 0.1 } };
    const quick = await tasks.request({ kind: 'word-count', payload: { text: 'a b\na' } });
    expect((await tasks.get(quick.id)).status).toBe('waiting_for_worker');
    {
      await using worker = startWorker(server.url);
      await vi.waitFor(
        async () =>
          expect(await tasks.get(quick.id)).toMatchObject({
            status: 'completed',
            result: { a: 2, b: 1 },
            message: 'line 2 of 2',
            output: { seq: 2 },
          }),
        patience,
      );
      expect(await tasks.workers()).toMatchObject([{ kind: 'word-count', isAlive: true }]);
      const cancelled = await tasks.request(slow);
      await vi.waitFor(
        async () => expect((await tasks.get(cancelled.id)).progress).toBeGreaterThan(0),
        patience,
      );
      await tasks.cancel(cancelled.id);
      await vi.waitFor(
        async () =>
          expect(await tasks.get(cancelled.id)).toMatchObject({
            status: 'cancelled',
            isOver: true,
          }),
        patience,
      );
      const bad = await tasks.request({ kind: 'word-count', payload: {}, attempts: 1 });
      await vi.waitFor(
        async () =>
          expect(await tasks.get(bad.id)).toMatchObject({
            status: 'failed',
            error: "KeyError: 'text'",
          }),
        patience,
      );
      const killed = await tasks.request(slow);
      await vi.waitFor(
        async () => expect((await tasks.get(killed.id)).status).toBe('running'),
        patience,
      );
      worker.child.kill('SIGKILL');
      const sinceKill = await startRunningTime();
      await vi.waitFor(
        async () =>
          expect(await tasks.get(killed.id)).toMatchObject({ attempt: 1, reason: 'lease_expired' }),
        patience,
      );
      expect(sinceKill.elapsedMs).toBeLessThan(leaseMs + 1000);
      await tasks.cancel(killed.id);
    }
    await using second = startWorker(server.url);
    await vi.waitFor(() => expect(second.output).toContain('ready'), patience);
    second.child.kill('SIGTERM');
    await second.exited;
    expect(second.child.exitCode).toBe(0);
  });
});
