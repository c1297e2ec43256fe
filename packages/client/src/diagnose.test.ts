import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { diagnose } from './diagnose.ts';
import { endpointsUnder } from './options.ts';

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const own =
  (status: number, code: string): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ error: { code, message: 'why' } }));
  };

const plain =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end();
  };

test.each([
  ['an origin that is not allowed', own(403, 'origin_not_allowed'), 'does not allow'],
  ['a path that Holdfast does not know', own(404, 'not_found'), 'no such endpoint'],
  ['a web page at the path', plain(200, { 'Content-Type': 'text/html' }), 'something other'],
  ['a proxy with nothing behind it', plain(502), 'does not get an answer'],
  ['a proxy that asks for a password', plain(401), 'sign-in'],
  ['a proxy at its limit', plain(503), 'limits'],
])('%s', async (_name, listener, cause) => {
  const url = await serve(listener);
  const diagnosis = await diagnose({ endpoints: endpointsUnder(url) });
  expect(diagnosis).toMatchObject({
    result: 'fail',
    cause: expect.stringContaining(cause) as string,
  });
  expect(diagnosis.mend).not.toBe('');
  expect(diagnosis.checks.map(({ name }) => name)).toEqual([
    'websocket',
    'http_stream',
    'sse',
    'polling',
  ]);
});

test('a redirect', async () => {
  const there = await serve(plain(200));
  const url = await serve((request, response) => {
    response.writeHead(301, { Location: `${there}${request.url ?? ''}` }).end();
  });
  expect(await diagnose({ endpoints: endpointsUnder(url) })).toMatchObject({
    cause: expect.stringContaining('redirected') as string,
  });
});

test('nothing there at all', async () => {
  const diagnosis = await diagnose({ endpoints: endpointsUnder('http://127.0.0.1:1') });
  expect(diagnosis.cause).toContain('down');
});

test('something that never answers', async () => {
  const url = await serve(() => undefined);
  const diagnosis = await diagnose({ endpoints: endpointsUnder(url), timeoutMs: 50 });
  expect(diagnosis.checks[0]?.evidence).toBe('no answer within 50 ms');
});

test('a device without network, and a page that may not', async () => {
  const endpoints = endpointsUnder('http://127.0.0.1:1');
  expect(await diagnose({ endpoints, isOnline: false })).toMatchObject({
    cause: 'this device is offline',
  });
  expect(await diagnose({ endpoints, pageProtocol: 'https:' })).toMatchObject({
    cause: expect.stringContaining('mixed content') as string,
  });
});
