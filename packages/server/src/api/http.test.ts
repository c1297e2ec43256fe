import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sendRaw, statusOf } from '../testing/raw-http.ts';
import { startTestServer, testApiKey } from '../testing/started-server.ts';

const sections = {
  client: { allow_anonymous_connect_without_token: true },
  channel: { without_namespace: { history_size: 10, history_ttl: '60s' } },
};
const publication = JSON.stringify({ channel: 'news', data: 1 });

describe('the API key', () => {
  test('is taken from each of the places where clients put it', async () => {
    await using server = await startTestServer(sections);
    const ways: readonly [string, Record<string, string>][] = [
      ['', { 'X-API-Key': testApiKey }],
      ['', { Authorization: `apikey ${testApiKey}` }],
      ['', { Authorization: `ApiKey  ${testApiKey}` }],
      [`?api_key=${testApiKey}`, {}],
    ];
    for (const [query, headers] of ways) {
      const address = `${server.url}/api/publish${query}`;
      const response = await fetch(address, { method: 'POST', headers, body: publication });
      expect(response.status).toBe(200);
      expect(await response.json()).toHaveProperty('result');
    }
  });

  test.each([
    ['missing', {}],
    ['empty', { 'X-API-Key': '' }],
    ['wrong', { 'X-API-Key': 'wrong' }],
    ['cut off', { 'X-API-Key': testApiKey.slice(0, -1) }],
    ['in the wrong scheme', { Authorization: `Bearer ${testApiKey}` }],
  ])('%s: 401, and nothing is published', async (_what, headers) => {
    await using server = await startTestServer(sections);
    const response = await fetch(`${server.url}/api/publish`, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: publication,
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      error: { code: 101, message: expect.stringContaining('X-API-Key') },
    });
    const { result } = await server.call('history', { channel: 'news', limit: -1 });
    expect(result?.publications).toEqual([]);
  });

  test('is checked before the body is read', async () => {
    await using server = await startTestServer(sections);
    const head = 'POST /api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n';
    const received = await sendRaw(server.url, head);
    expect(statusOf(received)).toBe(401);
    expect(received.toLowerCase()).toContain('connection: close');
  });

  test('never shows in the log, whichever way it came', async () => {
    await using server = await startTestServer(sections);
    await fetch(`${server.url}/api/info?api_key=${testApiKey}`, { method: 'POST' });
    await fetch(`${server.url}/api/info?api_key=wrong-${testApiKey}`, { method: 'POST' });
    await expect.poll(() => JSON.stringify(server.logLines)).toContain('/api/info');
    expect(JSON.stringify(server.logLines)).not.toContain(testApiKey);
  });

  test('an insecure API needs none, but takes nothing from web pages', async () => {
    await using server = await startTestServer({ ...sections, http_api: { insecure: true } });
    const send = (headers: Record<string, string>) =>
      fetch(`${server.url}/api/publish`, { method: 'POST', headers, body: publication });
    expect((await send({})).status).toBe(200);
    expect((await send({ Origin: 'https://evil.example' })).status).toBe(403);
    expect((await send({ 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
  });
});

describe('bodies', () => {
  test.each(['', ' ', '{}'])('%j is an empty request', async (body) => {
    await using server = await startTestServer(sections);
    expect(await server.call('info', body)).toHaveProperty('result.nodes');
  });

  test.each(['{', '{"channel":"news","data":}', "{'a':1}", 'hello', '{}{}', '{"a":NaN}', '\u0000'])(
    '%j is malformed: 400',
    async (body) => {
      await using server = await startTestServer(sections);
      const response = await server.api('publish', body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 107 } });
    },
  );

  test('bytes that are not UTF-8 are malformed', async () => {
    await using server = await startTestServer(sections);
    const body = Buffer.concat([
      Buffer.from('{"channel":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    const response = await fetch(`${server.url}/api/publish`, {
      method: 'POST',
      headers: { 'X-API-Key': testApiKey },
      body,
    });
    expect(response.status).toBe(400);
  });

  test('the type that curl sends by default is as good as application/json', async () => {
    await using server = await startTestServer(sections);
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/json']) {
      const response = await server.api('publish', publication, { 'Content-Type': type });
      expect(response.status).toBe(200);
    }
  });

  test('a body of ten megabytes is taken, a longer one refused by its declared length', async () => {
    await using server = await startTestServer(sections);
    const json = (size: number) => `{"channel":"news","data":1,"unknown":"${'x'.repeat(size)}"}`;
    expect((await server.api('publish', json(10_000_000))).status).toBe(200);
    const request = `POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: ${testApiKey}\r\nContent-Length: 10485761\r\n\r\n`;
    expect(statusOf(await sendRaw(server.url, request))).toBe(413);
  });

  test('a body that only turns out to be too long is refused when it is', async () => {
    await using server = await startTestServer(sections);
    const head = `POST /api/publish HTTP/1.1\r\nHost: x\r\nX-API-Key: ${testApiKey}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    expect(statusOf(await sendRaw(server.url, head + chunk.repeat(11)))).toBe(413);
  });

  test('a publication that no client could take is refused, in text and in base64', async () => {
    await using server = await startTestServer(sections);
    const data = 'x'.repeat(600_000);
    const b64data = Buffer.alloc(7_000_000, 1).toString('base64');
    for (const payload of [{ data }, { b64data }]) {
      const reply = await server.call('publish', { channel: 'news', ...payload });
      expect(reply).toMatchObject({
        error: { code: 106, message: expect.stringContaining('client.queue_max_size') },
      });
    }
  });

  test('a compressed body is refused, however small, before it is unpacked', async () => {
    await using server = await startTestServer(sections);
    const bomb = gzipSync(Buffer.alloc(10_000_000, 0x20));
    const response = await fetch(`${server.url}/api/publish`, {
      method: 'POST',
      headers: { 'X-API-Key': testApiKey, 'Content-Encoding': 'gzip' },
      body: bomb,
    });
    expect(response.status).toBe(415);
  });
});

describe('methods and paths', () => {
  test('the API takes POST only', async () => {
    await using server = await startTestServer(sections);
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await fetch(`${server.url}/api/publish`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
    }
  });

  test('an unknown method is named as such, with the ones there are', async () => {
    await using server = await startTestServer(sections);
    const response = await server.api('publsh', {});
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      error: { code: 104, message: expect.stringContaining('history_remove') },
    });
    expect((await fetch(`${server.url}/api/x`, { method: 'POST' })).status).toBe(401);
  });

  test.each([
    '//api/publish',
    '/api//publish',
    '/api/publish/',
    '/api/../api/publish/..',
    '/API/publish',
    '/api/publish%00',
    '/api/%2e%2e/metrics',
    '/api/publish;x',
    '/assets/../package.json',
    '/assets/%2e%2e/package.json',
    '/assets/..%2fpackage.json',
  ])('%s leads nowhere', async (path) => {
    await using server = await startTestServer({ ...sections, admin: { enabled: true } });
    const request = `POST ${path} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${testApiKey}\r\nConnection: close\r\nContent-Length: ${publication.length}\r\n\r\n${publication}`;
    expect(statusOf(await sendRaw(server.url, request))).toBe(404);
    const { result } = await server.call('history', { channel: 'news' });
    expect(result?.offset).toBe(0);
  });

  test('answers carry an id, that of the sender when it is a sensible one', async () => {
    await using server = await startTestServer(sections);
    const ask = async (id?: string) => {
      const response = await server.api('info', {}, id === undefined ? {} : { 'X-Request-Id': id });
      return response.headers.get('x-request-id');
    };
    expect(await ask('my-id.7')).toBe('my-id.7');
    expect(await ask('no spaces please')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await ask()).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('error mode transport', () => {
  const cases = [
    { method: 'publish', params: { channel: 'unknown:x', data: 1 }, status: 404, code: 102 },
    { method: 'rpc', params: { method: 'unknown' }, status: 404, code: 104 },
    { method: 'publish', params: {}, status: 400, code: 107 },
    { method: 'presence', params: { channel: 'news' }, status: 400, code: 108 },
    {
      method: 'history',
      params: { channel: 'news', since: { offset: 1, epoch: 'other' } },
      status: 416,
      code: 112,
    },
  ];

  test.each(cases)('$code is $status', async ({ method, params, status, code }) => {
    await using server = await startTestServer(sections);
    const header = { 'X-Centrifugo-Error-Mode': 'transport' };
    const response = await server.api(method, params, header);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, message: expect.any(String) });
  });

  test('can be the default of the server', async () => {
    await using server = await startTestServer({
      ...sections,
      http_api: { error_mode: 'transport' },
    });
    expect((await server.api('publish', {})).status).toBe(400);
    expect((await server.api('publish', publication)).status).toBe(200);
  });
});

describe('the old endpoint', () => {
  const post = (url: string, body: string) =>
    fetch(`${url}/api`, { method: 'POST', headers: { 'X-API-Key': testApiKey }, body });

  test('runs one command per line and answers one reply per line', async () => {
    await using server = await startTestServer(sections);
    const lines = [
      '{"id":1,"method":"publish","params":{"channel":"news","data":{"n":12345678901234567890}}}',
      '',
      '{"method":"HISTORY","params":{"channel":"news","limit":1}}',
      '{"id":3,"method":"nothing"}',
      '{"id":4,"method":"publish","params":{}}',
      '{"method":"info"}',
    ];
    const response = await post(server.url, `${lines.join('\n')}\n`);
    const text = await response.text();
    const replies = text.split('\n').map((line) => JSON.parse(line) as unknown);
    expect(replies).toMatchObject([
      { id: 1, result: { offset: 1 } },
      { result: { publications: [{ offset: 1 }], offset: 1 } },
      { id: 3, error: { code: 104 } },
      { id: 4, error: { code: 107 } },
      { result: { nodes: [{}] } },
    ]);
    expect(text).toContain('{"n":12345678901234567890}');
  });

  test('takes a command that spans lines, and data that does', async () => {
    await using server = await startTestServer(sections);
    const command = { method: 'publish', params: { channel: 'news', data: { a: [1, 2] } } };
    await post(server.url, JSON.stringify(command, undefined, 2));
    const history = '{"method":"history","params":{"channel":"news","limit":1}}';
    const text = await (await post(server.url, history)).text();
    expect(text.split('\n')).toHaveLength(1);
    expect(JSON.parse(text)).toMatchObject({ result: { publications: [{ data: { a: [1, 2] } }] } });
  });

  test('one malformed line refuses all, and nothing is done', async () => {
    await using server = await startTestServer(sections);
    const body = '{"method":"publish","params":{"channel":"news","data":1}}\n{"method":';
    expect((await post(server.url, body)).status).toBe(400);
    const { result } = await server.call('history', { channel: 'news' });
    expect(result?.offset).toBe(0);
  });
});

test('requests, errors and refusals are counted', async () => {
  await using server = await startTestServer({ ...sections, prometheus: { enabled: true } });
  await server.call('publish', { channel: 'news', data: 1 });
  await server.call('batch', { commands: [{ publish: { channel: 'news', data: 1 } }] });
  await server.call('publish', { channel: 'unknown:x', data: 1 });
  await server.api('publish', '{');
  await fetch(`${server.url}/api/publish`, { method: 'POST' });
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('holdfast_api_commands_total{method="publish"} 3');
  expect(metrics).toContain('holdfast_api_errors_total{method="publish",code="102"} 1');
  expect(metrics).toContain('holdfast_api_refused_requests_total{reason="malformed"} 1');
  expect(metrics).toContain('holdfast_api_refused_requests_total{reason="unauthorized"} 1');
  expect(metrics).toContain('holdfast_publications_total 2');
});
