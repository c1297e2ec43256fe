import { describe, expect, test } from 'vitest';
import { JwksServer, respondWith } from '../testing/jwks-server.ts';
import { type HostLookup, createJwksFetch, JwksFetchError } from './jwks-fetch.ts';

const limits = { timeoutMs: 2_000, maxBytes: 1_048_576 };
const anyAddress = { publicAddressesOnly: false };
const publicOnly = { publicAddressesOnly: true };

function read(url: string, change: Partial<Parameters<typeof createJwksFetch>[0]> = {}) {
  return createJwksFetch({ ...limits, ...change })(new URL(url), anyAddress);
}

async function failureOf(promise: Promise<string>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(JwksFetchError);
  return (error as JwksFetchError).message;
}

describe('reading a key set', () => {
  test('gives the text of the answer, asked for without credentials', async () => {
    await using server = await JwksServer.start();
    let headers: object = {};
    server.answer = (request, response) => {
      headers = request.headers;
      response.end('{"keys":["ä"]}');
    };
    expect(await read(server.url())).toBe('{"keys":["ä"]}');
    expect(headers).toEqual({
      host: `127.0.0.1:${server.port}`,
      accept: 'application/jwk-set+json, application/json',
      connection: 'close',
    });
  });

  test('fails when nobody listens', async () => {
    const server = await JwksServer.start();
    const url = server.url();
    await server.close();
    expect(await failureOf(read(url))).toMatch(/ECONNREFUSED/);
  });

  test('fails when the host does not exist', async () => {
    const lookup: HostLookup = () => Promise.reject(new Error('getaddrinfo ENOTFOUND id.example'));
    expect(await failureOf(read('https://id.example/', { lookup }))).toMatch(/ENOTFOUND/);
    expect(
      await failureOf(read('https://id.example/', { lookup: () => Promise.resolve([]) })),
    ).toMatch(/no address/);
  });

  test.each([301, 302, 303, 307, 308])('does not follow a redirect (%i)', async (status) => {
    await using server = await JwksServer.start();
    server.answer = (request, response) => {
      if (request.url === '/jwks') response.writeHead(status, { location: '/other' }).end();
      else response.end('{"keys":[]}');
    };
    expect(await failureOf(read(server.url()))).toMatch(/redirect to "\/other".*final URL/);
    expect(server.requestCount).toBe(1);
  });

  test.each([204, 304, 400, 404, 500, 503])('fails with status %i', async (status) => {
    await using server = await JwksServer.start();
    server.answer = respondWith('', status);
    expect(await failureOf(read(server.url()))).toMatch(/redirect|status/);
  });

  test('stops at its size limit, with and without a declared length', async () => {
    await using server = await JwksServer.start();
    const maxBytes = 10_000;
    server.answer = respondWith('x'.repeat(maxBytes));
    expect(await read(server.url(), { maxBytes })).toHaveLength(maxBytes);
    server.answer = respondWith('x'.repeat(maxBytes + 1));
    expect(await failureOf(read(server.url(), { maxBytes }))).toMatch(/more than 10000 bytes/);
    let isCut = false;
    server.answer = (_request, response) => {
      const timer = setInterval(() => response.write('x'.repeat(1000)), 1);
      response.on('close', () => {
        clearInterval(timer);
        isCut = true;
      });
    };
    expect(await failureOf(read(server.url(), { maxBytes }))).toMatch(/more than 10000 bytes/);
    await expect.poll(() => isCut).toBe(true);
  });

  test('has one deadline for silence, for a drip and for the resolver', async () => {
    await using server = await JwksServer.start();
    const timeoutMs = 100;
    server.answer = () => undefined;
    expect(await failureOf(read(server.url(), { timeoutMs }))).toMatch(/within 100 ms/);
    let isCut = false;
    server.answer = (_request, response) => {
      const timer = setInterval(() => response.write(' '), 5);
      response.on('close', () => {
        clearInterval(timer);
        isCut = true;
      });
    };
    expect(await failureOf(read(server.url(), { timeoutMs }))).toMatch(/within 100 ms/);
    await expect.poll(() => isCut).toBe(true);
    const lookup: HostLookup = () => new Promise(() => undefined);
    expect(await failureOf(read('https://id.example/', { timeoutMs, lookup }))).toMatch(/100 ms/);
  });

  test('refuses answers that are compressed or cut off', async () => {
    await using server = await JwksServer.start();
    server.answer = (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('bomb');
    };
    expect(await failureOf(read(server.url()))).toMatch(/compressed/);
    server.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"keys":');
      response.socket?.destroy();
    };
    expect(await failureOf(read(server.url()))).toMatch(/aborted|hang up|ECONNRESET/);
  });

  test('refuses answers that are not HTTP', async () => {
    await using server = await JwksServer.start();
    server.answer = (request) => request.socket.end('garbage\r\n\r\n');
    expect(await failureOf(read(server.url()))).toMatch(/Parse Error|Expected HTTP/);
  });
});

describe('a host that a token chose', () => {
  test.each([
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest/meta-data',
  ])('must have a public address, unlike %s', async (url) => {
    const fetch = createJwksFetch(limits);
    expect(await failureOf(fetch(new URL(url), publicOnly))).toMatch(/not public/);
  });

  test('must have no other address beside public ones', async () => {
    await using server = await JwksServer.start();
    const lookup: HostLookup = () =>
      Promise.resolve([
        { address: '1.1.1.1', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const fetch = createJwksFetch({ ...limits, lookup });
    const url = new URL(`http://staff.example:${server.port}/jwks`);
    expect(await failureOf(fetch(url, publicOnly))).toMatch(/127\.0\.0\.1, which is not public/);
    expect(server.requestCount).toBe(0);
  });

  test('is resolved once: the checked address is the one connected to', async () => {
    await using server = await JwksServer.start();
    server.answer = respondWith('pinned');
    const answers = ['127.0.0.1', '192.0.2.1'];
    const lookup: HostLookup = () =>
      Promise.resolve([{ address: answers.shift() ?? '192.0.2.1', family: 4 }]);
    const url = `http://rebinding.example:${server.port}/jwks`;
    expect(await read(url, { lookup })).toBe('pinned');
    expect(answers).toEqual(['192.0.2.1']);
  });
});
