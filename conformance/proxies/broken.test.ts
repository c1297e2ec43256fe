import { describe, expect, test, vi } from 'vitest';
import { brokenProxies, collectingProxies, type BrokenProxy } from './broken-proxies.ts';
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
import { freePort, startNginx } from './real-proxy.ts';

/** Three unmodified clients and the doctor, through one broken proxy. */
async function visit(broken: BrokenProxy): Promise<void> {
  await using server = await startProxiedServer();
  await using proxy = await broken.start(server);
  expect(await tryWebSocket(proxy.url)).toBe(broken.handshake);
  const [tries, carrier] = broken.centrifuge;
  expect(await tryCentrifuge(server, proxy.url, tries)).toBe(carrier);
  const event = tryEventSource(server, proxy.url, broken.isStreamLive ? 3_000 : 1_500);
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
  const clients = [1_300, 1_900].map((timeout) => centrifuge(url, ['http_stream'], { timeout }));
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
      { timeout: 20_000, interval: 50 },
    );
  } finally {
    for (const client of clients) client.disconnect();
  }
}

test.each(brokenProxies)('$name', visit);

// They wait more than they work.
test.concurrent.each(collectingProxies)('$name', visit);

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
      `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${dead}; } }`,
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
