import { expect, test } from 'vitest';
import { createUserApi } from './user-api.ts';

function tokenOf(claims: object): string {
  return `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
}

/** A server that takes the tokens in `taken`, and answers as the test says. */
function setUp(tokens: readonly string[], taken: readonly string[]) {
  const seen: { readonly url: string; readonly init: RequestInit }[] = [];
  const answers: (Response | Error)[] = [];
  let given = 0;
  const api = createUserApi({
    url: 'https://example.com/prefix/',
    getToken: async () => {
      const token = tokens[given++];
      if (token === undefined) throw new Error('signed out');
      await Promise.resolve();
      return token;
    },
    fetch: async (url, init = {}) => {
      seen.push({ url: url as string, init });
      await Promise.resolve();
      const bearer = new Headers(init.headers).get('authorization')?.slice('Bearer '.length) ?? '';
      if (!taken.includes(bearer)) return new Response('', { status: 401 });
      const answer = answers.shift() ?? Response.json({ fine: true });
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { api, seen, answers, given: () => given };
}

const ann = tokenOf({ sub: 'ann' });

test('one token for all requests, a new one when the server refuses it, and the request once more', async () => {
  const old = tokenOf({ sub: 'ann', exp: 1 });
  const { api, seen, given } = setUp([old, ann], [ann]);
  const query = { a: 1, b: undefined, c: 'x&y' };
  const results = await Promise.all([
    api.request({ path: '/p', query }),
    api.request({ path: '/q', body: { x: 1 } }),
  ]);
  expect(results).toEqual([{ fine: true }, { fine: true }]);
  expect(given()).toBe(2);
  expect(seen.map(({ url, init }) => `${init.method} ${url}`)).toEqual([
    'GET https://example.com/prefix/p?a=1&c=x%26y',
    'POST https://example.com/prefix/q',
    'GET https://example.com/prefix/p?a=1&c=x%26y',
    'POST https://example.com/prefix/q',
  ]);
  expect(await api.identity()).toBe('ann');
});

test('a token that is refused again is told of, with what the server said', async () => {
  const { api, seen } = setUp([tokenOf({ sub: 'ann', n: 1 }), tokenOf({ sub: 'ann', n: 2 })], []);
  await expect(api.request({ path: '/p' })).rejects.toMatchObject({
    code: 'refused',
    details: { status: 401 },
    retryable: false,
  });
  expect(seen).toHaveLength(2);
});

test('what changes something outlives its page, as far as browsers let it', async () => {
  const { api, seen } = setUp([ann], [ann]);
  await api.request({ path: '/p' });
  await api.request({ path: '/p', body: { ids: ['x'] } });
  await api.request({ path: '/p', method: 'DELETE' });
  await api.request({ path: '/p', body: 'x'.repeat(30_000) });
  expect(seen.map(({ init }) => init.keepalive)).toEqual([false, true, true, false]);
});

test("another user's token is not used for what belongs to the first", async () => {
  const { api, seen } = setUp([ann, tokenOf({ sub: 'bob' })], []);
  await expect(api.request({ path: '/p' })).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining("another user's") as unknown,
  });
  expect(seen).toHaveLength(1);
});

test('failures say what they are, and whether it helps to try again', async () => {
  const { api, answers } = setUp([ann], [ann]);
  const error = { code: 'inbox_invalid', message: 'ids are missing', retryable: false };
  answers.push(
    Response.json({ error }, { status: 400 }),
    new Response('<html>bad gateway', { status: 502 }),
    new TypeError('fetch failed'),
    new Response('{"cut'),
  );
  const ask = () => api.request({ path: '/p' });
  await expect(ask()).rejects.toMatchObject({
    code: 'refused',
    message: 'ids are missing',
    details: { status: 400, reason: 'inbox_invalid' },
    retryable: false,
  });
  await expect(ask()).rejects.toMatchObject({ details: { status: 502 }, retryable: true });
  await expect(ask()).rejects.toMatchObject({ code: 'outcome_unknown', retryable: true });
  await expect(ask()).rejects.toMatchObject({ code: 'outcome_unknown', retryable: true });
});

test('a server that asks for time is told of with how much', async () => {
  const { api, answers } = setUp([ann], [ann]);
  answers.push(new Response('busy', { status: 503, headers: { 'retry-after': '7' } }));
  await expect(api.request({ path: '/p' })).rejects.toMatchObject({
    retryable: true,
    details: { status: 503, retryAfterMs: 7_000 },
  });
});

test('no token: it is asked for again with the next request', async () => {
  const { api, given } = setUp([], [ann]);
  await expect(api.request({ path: '/p' })).rejects.toMatchObject({
    code: 'not_connected',
    retryable: true,
  });
  await expect(api.identity()).rejects.toMatchObject({ code: 'not_connected' });
  expect(given()).toBe(2);
});

test('tokens that say nothing of their user have no identity, unless it is given', async () => {
  const opaque = { url: 'https://example.com', getToken: () => Promise.resolve('opaque') };
  expect(await createUserApi(opaque).identity()).toBeUndefined();
  expect(await createUserApi({ ...opaque, user: 'ann' }).identity()).toBe('ann');
});
