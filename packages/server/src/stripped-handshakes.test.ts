import { describe, expect, test } from 'vitest';
import { sendRaw, statusOf } from './testing/raw-http.ts';
import { startTestServer } from './testing/started-server.ts';

const open = { client: { allow_anonymous_connect_without_token: true } };

interface Shape {
  readonly version?: '1.0' | '1.1';
  readonly path?: string;
  readonly headers?: readonly string[];
}

function stripped({
  version = '1.0',
  path = '/connection/websocket',
  headers = [],
}: Shape): string {
  return [
    `GET ${path} HTTP/${version}`,
    'Host: x',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
    '\r\n',
  ].join('\r\n');
}

const isAnswered = (text: string): boolean => /\r\n\r\n(?:.+\n)?$/s.test(text);

describe('a handshake that a proxy stripped', () => {
  test.each<readonly [string, Shape]>([
    ['HTTP/1.0', {}],
    ['Connection: close', { version: '1.1', headers: ['Connection: close'] }],
    [
      'Upgrade without Connection: Upgrade',
      { version: '1.1', headers: ['Upgrade: websocket', 'Connection: close'] },
    ],
  ])('is rescued: %s', async (_what, shape) => {
    await using server = await startTestServer(open);
    const received = await sendRaw(server.url, stripped(shape), isAnswered);
    expect(statusOf(received)).toBe(101);
    // The sample of RFC 6455 §1.3.
    expect(received).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(server.running.hub.metrics.strippedHandshakes.counts).toEqual(new Map([['rescued', 1]]));
  });

  test('is rescued for one-way clients too', async () => {
    await using server = await startTestServer({ ...open, uni_websocket: { enabled: true } });
    const request = stripped({ path: '/connection/uni_websocket' });
    expect(statusOf(await sendRaw(server.url, request, isAnswered))).toBe(101);
  });

  test('is not rescued past the checks of every handshake', async () => {
    await using server = await startTestServer(open);
    const evil = stripped({ headers: ['Origin: https://evil.example'] });
    const received = await sendRaw(server.url, evil);
    expect(statusOf(received)).toBe(403);
    expect(received).toContain('the Origin https://evil.example is not allowed');
    expect(received).toContain('client.allowed_origins');
    const elsewhere = stripped({ path: '/elsewhere' });
    expect(statusOf(await sendRaw(server.url, elsewhere))).toBe(404);
    const body = stripped({ headers: ['Content-Length: 5', '\r\nhello'] });
    expect(statusOf(await sendRaw(server.url, body))).toBe(426);
  });

  test('is not rescued when that is turned off', async () => {
    const websocket = { rescue_stripped_handshakes: false };
    await using server = await startTestServer({ ...open, websocket });
    const received = await sendRaw(server.url, stripped({}));
    expect(statusOf(received)).toBe(426);
    expect(server.running.hub.metrics.strippedHandshakes.counts).toEqual(new Map([['refused', 1]]));
  });

  test('is told from a connection that others use, and gets facts for programs', async () => {
    await using server = await startTestServer(open);
    const request = stripped({ version: '1.1', headers: ['CF-Ray: 1'] });
    const received = await sendRaw(server.url, request, isAnswered);
    expect(statusOf(received)).toBe(426);
    const body = JSON.parse(received.slice(received.indexOf('\r\n\r\n'))) as object;
    expect(body).toMatchObject({
      error: { code: 'upgrade_stripped', message: expect.stringContaining('Cloudflare') },
      diagnosis: {
        proxy: 'nginx',
        missing: ['Upgrade', 'Connection'],
        lines: expect.arrayContaining(['proxy_set_header Upgrade $http_upgrade;']),
      },
      seen: { http_version: '1.1', connection: '', upgrade: false, x_forwarded_for: false },
    });
  });

  test('gets words for people who ask for text', async () => {
    await using server = await startTestServer(open);
    const request = stripped({ version: '1.1', headers: ['Accept: text/html, */*'] });
    const received = await sendRaw(server.url, request, isAnswered);
    expect(received).toMatch(/Content-Type: text\/plain/);
    expect(received).toContain('\n    proxy_set_header Upgrade $http_upgrade;\n');
  });

  test('is logged once per proxy and not per attempt', async () => {
    await using server = await startTestServer(open);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await sendRaw(server.url, stripped({}), isAnswered);
    }
    const lines = server.logLines.filter(({ kind }) => kind === 'upgrade_rescued');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      proxy: '127.0.0.1',
      software: 'nginx',
      msg: expect.stringContaining('bare proxy_pass'),
    });
    expect(server.running.hub.metrics.strippedHandshakes.counts.get('rescued')).toBe(3);
  });
});

test('a proxy that hides TLS is named, once', async () => {
  await using server = await startTestServer({
    client: { ...open.client, allowed_origins: ['https://app.example'] },
  });
  const request = stripped({
    headers: ['Origin: https://app.example', 'X-Forwarded-Proto: http'],
  });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    expect(statusOf(await sendRaw(server.url, request, isAnswered))).toBe(101);
  }
  const lines = server.logLines.filter(({ kind }) => kind === 'tls_offload');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.msg).toContain('X-Forwarded-Proto: https');
});

test('an origin that is refused is told once for each proxy and origin, and counted', async () => {
  await using server = await startTestServer(open);
  for (const origin of ['https://one.example', 'https://two.example', 'https://one.example']) {
    const request = stripped({ headers: [`Origin: ${origin}`, 'X-Forwarded-Proto: https'] });
    expect(statusOf(await sendRaw(server.url, request))).toBe(403);
  }
  const lines = server.logLines.filter(({ kind }) => kind === 'origin_refused');
  expect(lines.map(({ origin }) => origin)).toEqual(['https://one.example', 'https://two.example']);
  expect(server.running.hub.metrics.proxyFaults.counts.get('origin_refused')).toBe(3);
});

test.each([
  '/connection/websocket',
  '/connection/init',
  '/connection/sse',
  '/emulation',
  '/nothing',
])('%s: no answer may be stored', async (path) => {
  await using server = await startTestServer(open);
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const response = await fetch(server.url + path, { method });
    await response.body?.cancel();
    expect([method, response.headers.get('cache-control')]).toEqual([
      method,
      expect.stringContaining('no-store'),
    ]);
  }
});

test('a proxy that speaks HTTP/2 is told of once', async () => {
  await using server = await startTestServer(open);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await sendRaw(server.url, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  }
  const lines = server.logLines.filter(({ kind }) => kind === 'http2');
  expect(lines).toEqual([expect.objectContaining({ proxy: '127.0.0.1' })]);
});
