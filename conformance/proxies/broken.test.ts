import { describe, expect, test, vi } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import {
  brokenProxies,
  collectingProxies,
  pollingProxies,
  type BrokenProxy,
} from './broken-proxies.ts';
import {
  centrifuge,
  examineProxy,
  type ProxiedServer,
  startProxiedServer,
  troubles,
  tryCentrifuge,
  tryEventSource,
  tryWebSocket,
} from './proxied-server.ts';
import { startHaproxy, startNginx } from './real-proxy.ts';

/** Three unmodified clients and the doctor, through one broken proxy. */
async function visit(broken: BrokenProxy): Promise<void> {
  await using server = await startProxiedServer();
  await using proxy = await broken.start(server);
  expect(await tryWebSocket(proxy.url)).toBe(broken.handshake);
  const [tries, carrier] = broken.centrifuge;
  expect(await tryCentrifuge(server, proxy.url, tries)).toBe(carrier);
  const event = tryEventSource(server, proxy.url, broken.isStreamLive ? 60_000 : 1_500);
  const isStreamLive = await event.then(
    () => true,
    () => false,
  );
  expect(isStreamLive).toBe(broken.isStreamLive);
  const patience = broken.isStreamLive ? undefined : giveUp(server, proxy.url);
  // What is held back costs the whole of each wait.
  const timeoutMs = broken.isStreamLive ? 3_000 : 2_000;
  const findings = await examineProxy(proxy.url, { timeoutMs });
  await patience;
  expect(troubles(findings)).toEqual(broken.troubles);
  const [check, cause, mend] = broken.named;
  expect(findings.get(check)).toMatchObject({
    cause: expect.stringMatching(cause),
    mend: expect.stringMatching(mend),
  });
}

/** Unmodified clients that wait for streams in vain, until the server says why that is. */
async function giveUp(server: ProxiedServer, url: string): Promise<void> {
  const clients = [1_300, 1_500, 1_700].map((timeout) =>
    centrifuge(url, ['http_stream'], { timeout }),
  );
  for (const client of clients) client.connect();
  try {
    await vi.waitFor(
      () => {
        expect(server.warnings).toContainEqual(
          expect.objectContaining({
            kind: 'buffered_stream',
            proxy: '127.0.0.1',
            msg: expect.stringContaining('proxy_buffering off'),
          }),
        );
      },
      { timeout: 60_000, interval: 50 },
    );
  } finally {
    for (const client of clients) client.disconnect();
  }
}

test.each(brokenProxies)('$name', visit);

// They wait more than they work.
test.concurrent.each([...pollingProxies, ...collectingProxies])('$name', visit);

describe('a proxy that answers the upgrade itself: the doctor knows why, clients fall back', () => {
  test.each([
    [200, 'default_type text/html; return 200 "<html></html>";', 'with a page'],
    [301, 'return 301 https://elsewhere.example$request_uri;', 'redirected to https://elsewhere'],
    [400, 'return 400;', 'a bad request'],
    [403, 'return 403;', 'forbids this path'],
    [404, 'return 404;', 'no rule for this path'],
    [502, 'proxy_pass http://127.0.0.1:1;', 'cannot reach the server'],
    [503, 'return 503;', 'no server that is up'],
  ] as const)('with %i', async (status, location, cause) => {
    await using server = await startProxiedServer();
    const { listenPort, port } = server;
    await using proxy = await startNginx(
      listenPort,
      `server { listen 127.0.0.1:${listenPort};
  location / { proxy_pass http://127.0.0.1:${port}; }
  location = /connection/websocket { ${location} } }`,
    );
    expect(await tryWebSocket(proxy.url)).toBe(status);
    expect(await tryCentrifuge(server, proxy.url, ['websocket', 'http_stream'])).toBe(
      'http_stream',
    );
    await tryEventSource(server, proxy.url);
    const findings = await examineProxy(proxy.url);
    expect(troubles(findings)).toEqual({ upgrade: 'fail' });
    expect(findings.get('upgrade')).toMatchObject({
      evidence: expect.stringContaining(`HTTP ${status}`),
      cause: expect.stringContaining(cause),
    });
  });
});

test('HAProxy that speaks HTTP/2 to the server: refused in its language, named in the log', async () => {
  await using server = await startProxiedServer();
  await using proxy = await startHaproxy(
    server.listenPort,
    `defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  retries 0
frontend clients
  bind 127.0.0.1:${server.listenPort}
  default_backend hub
backend hub
  server node1 127.0.0.1:${server.port} proto h2
`,
  );
  expect(await tryWebSocket(proxy.url)).toBeGreaterThanOrEqual(502);
  expect((await examineProxy(proxy.url)).get('upgrade')?.status).toBe('fail');
  expect(server.warnings).toEqual([
    expect.objectContaining({
      kind: 'http2',
      proxy: '127.0.0.1',
      msg: expect.stringContaining('no proto h2 at the server'),
    }),
  ]);
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
