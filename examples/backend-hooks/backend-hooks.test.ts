import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { createHub } from '@holdfast/hub';
import {
  installEventHooks,
  installHooks,
  loadConfig,
  toHooksOptions,
  toHubOptions,
} from '@holdfast/server';
import { Centrifuge, type PublicationContext } from 'centrifuge';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';

const folder = import.meta.dirname;
const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8');

/** A program of this folder in a process of its own. */
async function startProgram(file: string, environment: Readonly<Record<string, string>> = {}) {
  const child = startOwned(process.execPath, [path.join(folder, file)], {
    env: { ...process.env, ...environment, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output: string[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data.toString()));
  await once(child.stdout, 'data');
  const port = Number(/listening on (\d+)/.exec(output.join(''))?.[1]);
  return {
    port,
    output,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** A hub with the configuration of this folder, asking a backend on `backendPort`. */
async function startHub(backendPort: number) {
  const file = read('config.yaml').replaceAll(':3000/', `:${backendPort}/`);
  const loaded = loadConfig({
    cwd: '/',
    environment: {},
    configFile: 'config.yaml',
    readFile: () => file,
  });
  if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
  const server = createServer();
  const hub = createHub(toHubOptions(loaded.config));
  const hooks = installHooks(hub, toHooksOptions(loaded.config));
  hub.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    hub,
    url: `ws://127.0.0.1:${port}/connection/websocket`,
    async [Symbol.asyncDispose]() {
      await hub.shutdown({ timeoutMs: 1_000 });
      hooks.close();
      server.close();
    },
  };
}

/** A client as a page of the application would be: with the session's cookie. */
function pageWith(url: string, cookie: string) {
  class BrowserSocket extends WebSocket {
    constructor(address: string) {
      super(address, { headers: { cookie } });
    }
  }
  const client = new Centrifuge(url, { websocket: BrowserSocket });
  return Object.assign(client, { [Symbol.dispose]: () => client.disconnect() });
}

describe('the receiver of events of the handbook', () => {
  test.each([
    ['key', 'online: 42'],
    ['another key', undefined],
  ])('knows who is online when it has the secret (%s)', async (secret, expected) => {
    const data = await mkdtemp(path.join(tmpdir(), 'holdfast-example-'));
    await using receiver = await startProgram('events.mjs', { SECRET: secret });
    await using backend = await startProgram('backend.mjs');
    await using running = await startHub(backend.port);
    const endpoint = `http://127.0.0.1:${receiver.port}/`;
    const hook = { name: 'backend', endpoint, secret: 'key', batchMaxDelayMs: 0 };
    const events = await installEventHooks(running.hub, [hook], { folder: data });
    try {
      using ann = pageWith(running.url, 'session=secret-of-ann');
      ann.connect();
      await ann.ready(60_000);
      await vi.waitFor(() => {
        const [metrics] = events.metrics();
        expect(metrics?.requests.counts.size).toBeGreaterThan(0);
      });
      expect(receiver.output.join('').split('\n')[1] || undefined).toBe(expected);
      const [metrics] = events.metrics();
      expect(metrics?.requests.counts.has(expected === undefined ? 'status' : 'delivered')).toBe(
        true,
      );
    } finally {
      await events.close({ timeoutMs: 0 });
      await rm(data, { recursive: true });
    }
  });
});

describe('the backend of the handbook', () => {
  test('knows its users, lets members in and edits what they publish', async () => {
    await using backend = await startProgram('backend.mjs');
    await using hub = await startHub(backend.port);
    using ann = pageWith(hub.url, 'session=secret-of-ann');
    ann.connect();
    await ann.ready(60_000);
    const garden = ann.newSubscription('chat:garden');
    garden.subscribe();
    await garden.ready(60_000);
    const published = new Promise<PublicationContext>((resolve) => {
      garden.once('publication', resolve);
    });
    await garden.publish({ text: 'hello', at: 'never' });
    const { data, info } = await published;
    expect(data).toEqual({ text: 'hello', at: expect.stringMatching(/^\d{4}-/) as string });
    expect(info).toMatchObject({ user: '42', connInfo: { name: 'Ann' } });

    const cellar = ann.newSubscription('chat:cellar');
    cellar.subscribe();
    await expect(cellar.ready(60_000)).rejects.toMatchObject({ code: 7 });
    expect(garden.state).toBe('subscribed');
  });

  test('sends strangers away', async () => {
    await using backend = await startProgram('backend.mjs');
    await using hub = await startHub(backend.port);
    using stranger = pageWith(hub.url, 'session=guess');
    const gone = new Promise((resolve) => {
      stranger.once('disconnected', resolve);
    });
    stranger.connect();
    expect(await gone).toMatchObject({ code: 4_501, reason: 'sign in first' });
  });

  test.each(['backend.mjs', 'events.mjs', 'config.yaml'])('%s stands in the handbook', (file) => {
    const handbook = readFileSync(path.join(folder, '../../docs/hooks.md'), 'utf8');
    expect(handbook).toContain(read(file));
  });
});
