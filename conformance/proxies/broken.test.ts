import { describe, expect, test } from 'vitest';
import {
  examineProxy,
  startProxiedServer,
  troubles,
  tryCentrifuge,
  tryEventSource,
  tryWebSocket,
  type ProxiedServer,
} from './proxied-server.ts';
import { freePort, startApache, startHaproxy, startNginx } from './real-proxy.ts';

function nginx({ listenPort, port }: ProxiedServer, location: string) {
  return startNginx(
    listenPort,
    `upstream hub { server 127.0.0.1:${port}; keepalive 8; }
server { listen 127.0.0.1:${listenPort}; location / { proxy_pass http://hub; ${location} } }`,
  );
}

const upgrade =
  'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $http_host;';

describe('a proxy that strips handshakes, rescued', () => {
  test.each([
    ['a bare proxy_pass, HTTP/1.0', ''],
    ['HTTP/1.1 alone', 'proxy_http_version 1.1;'],
    ['Upgrade alone', 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;'],
  ])('nginx with %s', async (_what, location) => {
    await using server = await startProxiedServer();
    await using proxy = await nginx(server, location);
    expect(await tryWebSocket(proxy.url)).toBe(101);
    expect(await tryCentrifuge(server, proxy.url, ['websocket'])).toBe('websocket');
    await tryEventSource(server, proxy.url);
    const findings = await examineProxy(proxy.url);
    expect(troubles(findings)).toEqual({ upgrade: 'warn' });
    expect(findings.get('upgrade')).toMatchObject({
      cause: expect.stringContaining('(nginx) removes the headers Upgrade and Connection'),
      mend: expect.stringContaining('proxy-config nginx'),
    });
    const { counts } = server.running.hub.metrics.strippedHandshakes;
    expect([...counts.keys()]).toEqual(['rescued']);
  });
});

describe('a proxy that strips handshakes, beyond rescue', () => {
  test('nginx with Connection "" and connections kept open', async () => {
    await using server = await startProxiedServer();
    await using proxy = await nginx(
      server,
      'proxy_http_version 1.1; proxy_set_header Connection "";',
    );
    expect(await tryWebSocket(proxy.url)).toBe(426);
    expect(await tryCentrifuge(server, proxy.url, ['websocket', 'http_stream'])).toBe(
      'http_stream',
    );
    const findings = await examineProxy(proxy.url);
    expect(findings.get('upgrade')).toMatchObject({
      status: 'fail',
      cause: expect.stringContaining('nginx keeps its connections to this server open'),
      mend: expect.stringContaining('proxy_set_header Connection $connection_upgrade;'),
    });
  });

  test.each([
    ['its defaults', ''],
    ['connections that it closes', 'SetEnv proxy-nokeepalive 1'],
  ])('Apache without upgrade=websocket, with %s', async (_what, line) => {
    await using server = await startProxiedServer();
    await using proxy = await startApache(
      server.listenPort,
      `${line}\nProxyPass "/" "http://127.0.0.1:${server.port}/"`,
    );
    expect(await tryWebSocket(proxy.url)).toBe(426);
    expect(await tryCentrifuge(server, proxy.url, ['websocket', 'sse'])).toBe('sse');
    await tryEventSource(server, proxy.url);
    const findings = await examineProxy(proxy.url);
    expect(findings.get('upgrade')).toMatchObject({
      status: 'fail',
      cause: expect.stringContaining('Apache passes the request with ProxyPass'),
      mend: expect.stringContaining('upgrade=websocket'),
    });
  });
});

describe('a proxy that is too impatient', () => {
  const named = {
    status: 'fail',
    cause: expect.stringMatching(/silent for [23] s.*pings every 25 s/),
    mend: expect.stringContaining('client.ping_interval'),
  };

  test('nginx with proxy_read_timeout 2s', async () => {
    await using server = await startProxiedServer();
    await using proxy = await nginx(server, `${upgrade} proxy_read_timeout 2s;`);
    const findings = await examineProxy(proxy.url, { idleSeconds: 5 });
    expect(findings.get('idle')).toMatchObject(named);
  });

  test('HAProxy with timeout tunnel 2s', async () => {
    await using server = await startProxiedServer();
    await using proxy = await startHaproxy(
      server.listenPort,
      `defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  timeout tunnel 2s
frontend clients
  bind 127.0.0.1:${server.listenPort}
  default_backend hub
backend hub
  server node1 127.0.0.1:${server.port}
`,
    );
    const findings = await examineProxy(proxy.url, { idleSeconds: 5 });
    expect(findings.get('idle')).toMatchObject(named);
  });

  test('but pings that are faster keep connections', async () => {
    await using server = await startProxiedServer({
      client: { ping_interval: '1s', pong_timeout: '500ms' },
    });
    await using proxy = await nginx(server, `${upgrade} proxy_read_timeout 2s;`);
    const findings = await examineProxy(proxy.url, { idleSeconds: 5 });
    expect(troubles(findings)).toEqual({});
    expect(findings.get('server_ping')?.status).toBe('pass');
  });
});

describe('nginx that collects responses although it is asked not to', () => {
  const keepsHeader = 'proxy_ignore_headers X-Accel-Buffering;';

  test.each([
    ['to buffer them', keepsHeader],
    [
      'to compress them',
      `${upgrade} ${keepsHeader} gzip on; gzip_types text/event-stream application/json;`,
    ],
  ])('%s', async (_what, location) => {
    await using server = await startProxiedServer();
    await using proxy = await nginx(server, location);
    expect(await tryCentrifuge(server, proxy.url, ['websocket'])).toBe('websocket');
    const findings = await examineProxy(proxy.url);
    for (const name of ['sse', 'http_stream'] as const) {
      expect(findings.get(name)).toMatchObject({
        status: 'fail',
        cause: expect.stringContaining('A proxy'),
        mend: expect.stringContaining('buffering'),
      });
    }
  });
});

describe('a proxy that answers the upgrade itself', () => {
  test.each([
    [200, 'return 200 "<html></html>"; default_type text/html;', 'with a page'],
    [301, 'return 301 https://elsewhere.example$request_uri;', 'redirected to https://elsewhere'],
    [400, 'return 400;', 'a bad request'],
    [403, 'return 403;', 'forbids this path'],
    [404, 'return 404;', 'no rule for this path'],
    [503, 'return 503;', 'no server that is up'],
  ] as const)('with %i', async (status, location, cause) => {
    const port = await freePort();
    await using proxy = await startNginx(
      port,
      `server { listen 127.0.0.1:${port}; location / { ${location} } }`,
    );
    expect(await tryWebSocket(proxy.url)).toBe(status);
    expect((await examineProxy(proxy.url)).get('upgrade')).toMatchObject({
      status: 'fail',
      evidence: expect.stringContaining(`HTTP ${status}`),
      cause: expect.stringContaining(cause),
    });
  });

  test('with 502, since the server is down', async () => {
    const [port, dead] = [await freePort(), await freePort()];
    await using proxy = await startNginx(
      port,
      `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${dead}; ${upgrade} } }`,
    );
    expect(await tryWebSocket(proxy.url)).toBe(502);
    expect((await examineProxy(proxy.url)).get('upgrade')).toMatchObject({
      status: 'fail',
      cause: expect.stringContaining('cannot reach the server'),
    });
  });
});

test('nothing that listens: named, and the rest is left', async () => {
  const findings = await examineProxy(`http://127.0.0.1:${await freePort()}`);
  expect(troubles(findings)).toEqual({ tcp: 'fail' });
  expect(findings.get('tcp')?.cause).toContain('Nothing listens');
  expect(findings.get('upgrade')?.status).toBe('skip');
});

test('an origin that is not allowed is named with the option', async () => {
  await using server = await startProxiedServer();
  const url = `http://127.0.0.1:${server.port}`;
  const findings = await examineProxy(url, { origin: 'https://evil.example' });
  expect(troubles(findings)).toEqual({ origin: 'fail' });
  expect(findings.get('origin')?.mend).toContain('https://evil.example');
  expect(findings.get('origin')?.mend).toContain('client.allowed_origins');
});
