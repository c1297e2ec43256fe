import { describe, expect, test } from 'vitest';
import { startTestServer, testApiKey, type StartedServer } from '../testing/started-server.ts';

const sections = {
  admin: { enabled: true, secret: 'a'.repeat(32) },
  channel: { without_namespace: { history_size: 10, history_ttl: '60s' } },
};

function post(
  url: string,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function signIn(server: StartedServer): Promise<string> {
  const [, code] = (server.running.signInLink ?? '').split('#sign-in=');
  const response = await post(`${server.url}/admin/sign-in`, { code });
  expect(response.status).toBe(204);
  const [cookie = ''] = (response.headers.get('set-cookie') ?? '').split(';', 1);
  return cookie;
}

const endpoints = [
  ['GET', '/admin/api-key'],
  ['POST', '/admin/api/publish'],
  ['POST', '/admin/api/batch'],
  ['POST', '/admin/api'],
  ['POST', '/admin/connection-ticket'],
  ['POST', '/admin/sample-token'],
] as const;

describe('without a session', () => {
  test.each(endpoints)('%s %s: 401', async (method, path) => {
    await using server = await startTestServer(sections);
    for (const cookie of ['', 'holdfast_session_default=x', 'holdfast_session_1=a.1.b']) {
      const response = await fetch(server.url + path, { method, headers: { Cookie: cookie } });
      expect(response.status).toBe(401);
    }
    const withKey = { method, headers: { 'X-API-Key': testApiKey } };
    expect((await fetch(server.url + path, withKey)).status).toBe(401);
  });

  test('the session endpoint says no more than how to sign in', async () => {
    await using server = await startTestServer(sections);
    const response = await fetch(`${server.url}/admin/session`);
    expect(await response.json()).toEqual({ signed_in: false, password: false });
  });
});

describe('with a session', () => {
  test('every endpoint can be used', async () => {
    await using server = await startTestServer({
      ...sections,
      client: { token: { hmac_secret_key: 't'.repeat(32) } },
    });
    const Cookie = await signIn(server);
    for (const [method, path] of endpoints) {
      const response = await fetch(server.url + path, { method, headers: { Cookie } });
      expect(response.status).toBe(200);
    }
    const key = await fetch(`${server.url}/admin/api-key`, { headers: { Cookie } });
    expect(await key.json()).toEqual({ key: testApiKey });
    const published = await post(
      `${server.url}/admin/api/publish`,
      { channel: 'news', data: 1 },
      { Cookie },
    );
    expect(await published.json()).toMatchObject({ result: { offset: 1 } });
  });

  test.each([
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
  ])('pages of other origins cannot use it: %j', async (headers) => {
    await using server = await startTestServer(sections);
    const Cookie = await signIn(server);
    for (const [method, path] of endpoints) {
      const response = await fetch(server.url + path, { method, headers: { Cookie, ...headers } });
      expect(response.status).toBe(403);
    }
    for (const path of ['/admin/sign-in', '/admin/sign-out']) {
      expect((await post(server.url + path, {}, { Cookie, ...headers })).status).toBe(403);
    }
    const own = { Cookie, Origin: server.url, 'Sec-Fetch-Site': 'same-origin' };
    expect((await post(`${server.url}/admin/connection-ticket`, {}, own)).status).toBe(200);
  });

  test('signing out ends it', async () => {
    await using server = await startTestServer(sections);
    const Cookie = await signIn(server);
    expect((await post(`${server.url}/admin/sign-out`, {}, { Cookie })).status).toBe(204);
    expect((await post(`${server.url}/admin/connection-ticket`, {}, { Cookie })).status).toBe(401);
  });

  test('it lives through a restart of the server', async () => {
    let Cookie = '';
    {
      await using first = await startTestServer(sections);
      Cookie = await signIn(first);
    }
    await using second = await startTestServer(sections);
    const [, value] = Cookie.split('=', 2);
    const name = `holdfast_session_${new URL(second.url).port}`;
    const response = await post(
      `${second.url}/admin/connection-ticket`,
      {},
      { Cookie: `${name}=${value}` },
    );
    expect(response.status).toBe(200);
  });
});

describe('signing in', () => {
  test.each([{}, [], 'x', { code: 5 }, { code: 'x'.repeat(300) }, { password: 5 }])(
    '%j is malformed',
    async (body) => {
      await using server = await startTestServer(sections);
      expect((await post(`${server.url}/admin/sign-in`, body)).status).toBe(400);
    },
  );

  test('with a password, which keeps the link away; too many wrong ones have to wait', async () => {
    const password = 'swordfish';
    await using server = await startTestServer({ admin: { ...sections.admin, password } });
    expect(server.running.signInLink).toBeUndefined();
    const attempt = (text: string) => post(`${server.url}/admin/sign-in`, { password: text });
    expect((await attempt(password)).status).toBe(204);
    for (let count = 0; count < 10; count += 1) expect((await attempt('wrong')).status).toBe(401);
    const refused = await attempt(password);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(server.logLines)).not.toContain(password);
  });

  test('neither the code nor the session is ever logged', async () => {
    await using server = await startTestServer(sections);
    const [, code = ''] = (server.running.signInLink ?? '').split('#sign-in=');
    const [, session = ''] = (await signIn(server)).split('=', 2);
    await expect.poll(() => JSON.stringify(server.logLines)).toContain('/admin/sign-in');
    const log = JSON.stringify(server.logLines);
    expect(code.length).toBeGreaterThan(20);
    expect(log).not.toContain(code);
    expect(log).not.toContain(session);
  });

  test('where nobody has to, every endpoint is open, but not to other pages', async () => {
    await using server = await startTestServer({ admin: { ...sections.admin, insecure: true } });
    expect(server.running.signInLink).toBeUndefined();
    const url = `${server.url}/admin/connection-ticket`;
    expect((await post(url)).status).toBe(200);
    expect((await post(url, {}, { Origin: 'https://evil.example' })).status).toBe(403);
  });
});

test('pages forbid everything that is not their own', async () => {
  await using server = await startTestServer({ ...sections, swagger: { enabled: true } });
  for (const path of ['/', '/swagger', '/assets/welcome.js']) {
    const { headers } = await fetch(server.url + path);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-frame-options')).toBe('DENY');
  }
  const { headers } = await fetch(`${server.url}/assets/style.css`);
  const etag = headers.get('etag') ?? '';
  const again = await fetch(`${server.url}/assets/style.css`, {
    headers: { 'If-None-Match': etag },
  });
  expect(again.status).toBe(304);
});
