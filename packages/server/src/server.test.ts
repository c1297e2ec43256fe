import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Centrifuge } from 'centrifuge';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import { startServer } from './server.ts';
import { sendRaw, statusOf } from './testing/raw-http.ts';
import { createSelfSignedCertificate } from './testing/self-signed-certificate.ts';
import { startTestServer, testApiKey } from './testing/started-server.ts';
import { testConfig } from './testing/test-config.ts';

const open = { client: { allow_anonymous_connect_without_token: true } };
const everything = {
  ...open,
  health: { enabled: true },
  prometheus: { enabled: true },
  swagger: { enabled: true },
  admin: { enabled: true },
};

function connect(url: string): Centrifuge {
  const client = new Centrifuge(url, { minReconnectDelay: 60_000 });
  onTestFinished(() => client.disconnect());
  client.connect();
  return client;
}

async function statuses(url: string, paths: readonly string[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const path of paths) {
    const method = path.startsWith('/api') ? 'POST' : 'GET';
    const headers = { 'X-API-Key': testApiKey };
    found[path] = (await fetch(url + path, { method, headers, redirect: 'manual' })).status;
  }
  return found;
}

describe('addresses', () => {
  test('localhost is IPv4 and IPv6 on one port', async () => {
    await using server = await startTestServer({
      ...everything,
      http_server: { address: 'localhost' },
    });
    const { addresses } = server.running;
    const [, port] = /:(\d+)$/.exec(addresses[0] ?? '') ?? [];
    expect(addresses).toEqual([
      `http://localhost:${port}`,
      `http://127.0.0.1:${port}`,
      `http://[::1]:${port}`,
    ]);
    for (const address of addresses) expect((await fetch(`${address}/health`)).status).toBe(200);
  });

  test('a port that is taken is named, with what to do, and nothing is left behind', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const loaded = testConfig({
      http_server: { address: 'localhost', port },
      log: { level: 'none' },
    });
    await expect(startServer(loaded)).rejects.toMatchObject({
      name: 'StartError',
      code: 'port_in_use',
      message: expect.stringMatching(
        new RegExp(
          `port ${port} of 127.0.0.1.*another program.*HOLDFAST_HTTP_SERVER_PORT=${port + 1}`,
        ),
      ),
    });
  });

  test('a port that is taken on IPv6 alone is found too', async () => {
    const other = createServer().listen(0, '::1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const loaded = testConfig({
      http_server: { address: 'localhost', port },
      log: { level: 'none' },
    });
    await expect(startServer(loaded)).rejects.toMatchObject({ code: 'port_in_use' });
    const retry = createServer().listen(port, '127.0.0.1');
    await once(retry, 'listening');
    retry.close();
  });

  test('an address of another machine is named', async () => {
    const loaded = testConfig({
      http_server: { address: '192.0.2.1', port: 0 },
      log: { level: 'none' },
    });
    await expect(startServer(loaded)).rejects.toMatchObject({
      code: 'address_unavailable',
      message: expect.stringContaining('192.0.2.1'),
    });
  });

  test('with an internal port, what is not for clients is there and nowhere else', async () => {
    const port = await freePort();
    await using server = await startTestServer({
      ...everything,
      http_server: { internal_port: port },
    });
    const paths = ['/api/info', '/health', '/ready', '/metrics', '/swagger', '/openapi.json', '/'];
    const all = (status: number) => Object.fromEntries(paths.map((path) => [path, status]));
    expect(await statuses(server.url, paths)).toEqual(all(404));
    expect(await statuses(`http://127.0.0.1:${port}`, paths)).toEqual(all(200));
    await connect(server.websocketUrl).ready();
    expect(server.running.signInLink).toContain(`:${port}/#sign-in=`);
  });

  test('endpoints that are external stay on the port for clients', async () => {
    const port = await freePort();
    await using server = await startTestServer({
      ...everything,
      http_server: { internal_port: port },
      http_api: { external: true },
    });
    expect(await statuses(server.url, ['/api/info', '/metrics'])).toEqual({
      '/api/info': 200,
      '/metrics': 404,
    });
    expect(await statuses(`http://127.0.0.1:${port}`, ['/api/info'])).toEqual({ '/api/info': 404 });
  });

  test('a start that fails late leaves no port open', async () => {
    const port = await freePort();
    const journal = path.join(mkdtempSync(path.join(tmpdir(), 'holdfast-late-')), 'a-file');
    onTestFinished(() => rmSync(path.dirname(journal), { recursive: true }));
    writeFileSync(journal, '');
    const loaded = testConfig({
      data_dir: journal,
      http_server: { address: '127.0.0.1', port },
      event_hooks: [{ name: 'crm', endpoint: 'http://127.0.0.1:1/', secret: 's'.repeat(32) }],
      log: { level: 'none' },
    });
    await expect(startServer(loaded)).rejects.toMatchObject({ name: 'StartError' });
    const again = createServer().listen(port, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });

  test('nothing is served that is not turned on', async () => {
    await using server = await startTestServer({ ...open, http_api: { disabled: true } });
    const paths = [
      '/api/info',
      '/health',
      '/ready',
      '/metrics',
      '/swagger',
      '/',
      '/assets/style.css',
    ];
    const found = await statuses(server.url, [...paths, '/admin/session']);
    expect(new Set(Object.values(found))).toEqual(new Set([404]));
  });
});

describe('TLS', () => {
  test('serves HTTPS and WSS', async () => {
    const { cert, key } = createSelfSignedCertificate();
    await using server = await startTestServer({
      ...everything,
      http_server: { tls: { enabled: true, cert_pem: cert, key_pem: key } },
    });
    expect(server.url).toMatch(/^https:/);
    const request = secureRequest(`${server.url}/health`, { ca: cert }).end();
    const [response] = (await once(request, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(200);
    expect(server.running.signInLink).toMatch(/^https:/);
    const handshake = secureRequest(`${server.url}/connection/websocket`, {
      ca: cert,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    }).end();
    const [upgraded, socket] = (await once(handshake, 'upgrade')) as [
      { statusCode: number },
      { destroy: () => void },
    ];
    expect(upgraded.statusCode).toBe(101);
    socket.destroy();
  });

  test('a certificate that does not fit its key is refused at start', async () => {
    const { cert } = createSelfSignedCertificate();
    const { key } = createSelfSignedCertificate();
    const loaded = testConfig({
      http_server: { port: 0, tls: { enabled: true, cert_pem: cert, key_pem: key } },
      log: { level: 'none' },
    });
    const starting = startServer(loaded);
    await expect(starting).rejects.toMatchObject({ code: 'bad_certificate' });
    await expect(starting).rejects.not.toThrow(key);
  });
});

describe('health and readiness', () => {
  test('a server that serves is alive and ready', async () => {
    await using server = await startTestServer(everything);
    const health = await fetch(`${server.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, {}]);
    const ready = await fetch(`${server.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true }]);
  });

  test('while it stops it is alive, not ready, and says why', async () => {
    await using server = await startTestServer(everything);
    void server.running.hub.shutdown();
    const ready = await fetch(`${server.url}/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({
      ready: false,
      problems: expect.arrayContaining(['the node is shutting down']),
    });
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});

describe('the WebSocket endpoint, asked without a handshake', () => {
  test('says what it is', async () => {
    await using server = await startTestServer(open);
    const response = await fetch(`${server.url}/connection/websocket`);
    expect(response.status).toBe(426);
    expect(response.headers.get('upgrade')).toBe('websocket');
    expect(await response.json()).toMatchObject({ error: { code: 'upgrade_required' } });
  });

  test('knows a handshake that a proxy stripped, and says how to mend the proxy', async () => {
    await using server = await startTestServer(open);
    const request =
      'GET /connection/websocket HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    const received = await sendRaw(server.url, request, (text) => text.includes('}}'));
    expect(statusOf(received)).toBe(426);
    expect(received).toContain('upgrade_stripped');
    expect(received).toContain('proxy_set_header Upgrade $http_upgrade;');
  });
});

describe('stopping', () => {
  test('tells clients to come back, accepts nobody, and ends', async () => {
    const server = await startTestServer(open);
    const client = connect(server.websocketUrl);
    await client.ready();
    const told = once(client as never, 'connecting');
    await Promise.all([server.running.stop(), server.running.stop()]);
    expect(await told).toMatchObject([{ code: 3001, reason: 'shutdown' }]);
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
  });

  test('finishes the requests that are under way', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: allowed, resolve: allow } = Promise.withResolvers<void>();
    const wait = async () => {
      ask();
      await allowed;
      return undefined;
    };
    const server = await startTestServer(open, { rpc: new Map([['wait', wait]]) });
    const answer = server.call('rpc', { method: 'wait' });
    await asked;
    const stopped = server.running.stop();
    allow();
    expect(await answer).toEqual({ result: {} });
    await stopped;
  });

  test('does not wait longer than it may for a client that does not go', async () => {
    const server = await startTestServer({ ...open, shutdown: { timeout: '200ms' } });
    const handshake =
      'GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>();
    const silent = sendRaw(server.url, handshake, (received) => {
      if (received.includes('101')) opened();
      return false;
    });
    await isOpen;
    const started = performance.now();
    await server.running.stop();
    expect(performance.now() - started).toBeLessThan(15_000);
    await silent;
  });
});

test('warnings of the configuration are in the log', async () => {
  await using server = await startTestServer(open, {
    warnings: [{ key: 'client.insecure', message: 'Everybody can connect.' }],
  });
  expect(server.logLines).toContainEqual(
    expect.objectContaining({ level: 40, key: 'client.insecure', msg: 'Everybody can connect.' }),
  );
});
