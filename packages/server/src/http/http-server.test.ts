import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sendRaw, statusOf } from '../testing/raw-http.ts';
import { createHttpServer, type BadRequestReason, type HttpLimits } from './http-server.ts';

async function start(limits: Partial<HttpLimits> = {}) {
  const handled: string[] = [];
  const badRequests: BadRequestReason[] = [];
  const server = createHttpServer({
    handle: (request, response) => {
      handled.push(`${request.method} ${request.url}`);
      request.resume();
      request.on('end', () => response.end('handled'));
    },
    badRequest: (reason) => badRequests.push(reason),
    limits,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, handled, badRequests };
}

const head = 'POST /x HTTP/1.1\r\nHost: x\r\n';

describe('bytes that are no proper request', () => {
  test.each([
    [
      'length and chunks at once',
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
    ['a signed length', `${head}Content-Length: +5\r\n\r\nhello`],
    ['a length in hex', `${head}Content-Length: 0x5\r\n\r\nhello`],
    ['chunks that are not last', `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['an unknown coding', `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['a folded header', `${head}X-A: a\r\n b\r\n\r\n`],
    ['a header without name', `${head}: a\r\n\r\n`],
    ['a NUL in a header', `${head}X-A: a\u0000b\r\n\r\n`],
    ['a bare line feed inside a header', `${head}X-A: a\rX-B: b\r\n\r\n`],
    ['a chunk size that is no number', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ['an unknown version', 'GET / HTTP/3.0\r\nHost: x\r\n\r\n'],
    ['no request at all', '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n'],
    ['a method that does not exist', 'STEAL / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s: 400, connection closed, nothing handled', async (_what, bytes) => {
    const { url, handled } = await start();
    const received = await sendRaw(url, `${bytes}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(statusOf(received)).toBe(400);
    expect(received.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(handled.filter((line) => line.includes('smuggled'))).toEqual([]);
  });

  test.each([
    ['a missing host', 'GET /x HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ])('%s: 400, connection closed, not handled', async (_what, bytes) => {
    const { url, handled } = await start();
    const received = await sendRaw(url, bytes);
    expect(statusOf(received)).toBe(400);
    expect(received).toContain('Connection: close');
    expect(handled).toEqual([]);
  });

  test('are answered in JSON, closed, and counted', async () => {
    const { url, badRequests } = await start();
    const received = await sendRaw(url, 'hello\r\n\r\n');
    expect(received).toContain('Connection: close');
    expect(received).toContain('"code":"malformed"');
    expect(badRequests).toEqual(['malformed']);
  });
});

describe('limits', () => {
  test('headers beyond 16 KiB: 431', async () => {
    const { url, handled, badRequests } = await start();
    const received = await sendRaw(url, `${head}X-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(statusOf(received)).toBe(431);
    expect(handled).toEqual([]);
    expect(badRequests).toEqual(['headers_too_large']);
  });

  test('a thousand small headers cost no more than sixty-four', async () => {
    const { url } = await start();
    const headers = Array.from({ length: 1_000 }, (_, index) => `A${index}: 1\r\n`).join('');
    const request = `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;
    expect([200, 431]).toContain(statusOf(await sendRaw(url, request)));
  });

  test('headers that come too slowly: 408', async () => {
    const { url, badRequests } = await start({
      headersTimeout: 100,
      requestTimeout: 200,
      connectionsCheckingInterval: 50,
    });
    expect(statusOf(await sendRaw(url, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '))).toBe(408);
    expect(badRequests).toEqual(['timeout']);
  });

  test('a body that comes too slowly: 408', async () => {
    const { url } = await start({
      headersTimeout: 100,
      requestTimeout: 150,
      connectionsCheckingInterval: 50,
    });
    expect(statusOf(await sendRaw(url, `${head}Content-Length: 100\r\n\r\nhello`))).toBe(408);
  });
});

test('an offer to upgrade to something else is ignored, the request answered', async () => {
  const { url, handled } = await start();
  const request =
    'GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n';
  const received = await sendRaw(url, request, (text) => text.includes('handled'));
  expect(statusOf(received)).toBe(200);
  expect(handled).toEqual(['GET /x']);
});

test('a peer that speaks HTTP/2 is told in HTTP/2 to take HTTP/1.1', async () => {
  const { url, handled, badRequests } = await start();
  const session = connectHttp2(url);
  session.on('error', () => {
    // What it was told is looked at below.
  });
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/x',
    ':scheme': 'http',
    ':authority': 'x',
  });
  stream.on('error', () => {
    // It ends with its session.
  });
  const [code, , words] = (await once(session, 'goaway')) as [number, number, Buffer];
  expect(code).toBe(constants.NGHTTP2_HTTP_1_1_REQUIRED);
  expect(words.toString()).toContain('Let the proxy speak HTTP/1.1');
  session.destroy();
  expect(handled).toEqual([]);
  expect(badRequests).toEqual(['http2']);
});

test('a tunnel is refused in words', async () => {
  const { url, handled, badRequests } = await start();
  const received = await sendRaw(url, 'CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n');
  expect(statusOf(received)).toBe(405);
  expect(received).toContain('Upgrade: websocket');
  expect(handled).toEqual([]);
  expect(badRequests).toEqual(['tunnel']);
});
