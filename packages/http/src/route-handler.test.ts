import { expect, test } from 'vitest';
import { z } from 'zod';
import { createRouteHandler, HttpRefusal, openApiOf, routeFor } from './index.ts';

const route = routeFor<{ readonly log: string[] }>();
const answers = z.object({ from: z.string() });
const plain = { side: 'server', summary: 'Says which it is', result: answers } as const;
const routes = [
  route({ ...plain, method: 'GET', path: '/{id}', run: async () => ({ from: 'id' }) }),
  route({ ...plain, method: 'DELETE', path: '/{id}', run: async () => ({ from: 'id' }) }),
  route({ ...plain, method: 'GET', path: '/kinds', run: async () => ({ from: 'kinds' }) }),
  route({
    ...plain,
    method: 'GET',
    path: '/raw',
    run: async ({ log }) => {
      log.push('raw');
      return new Response('plain');
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/broken',
    run: () => Promise.reject(new Error('a secret')),
  }),
];

test('the most exact path answers, with its own methods', async () => {
  const log: string[] = [];
  const problems: unknown[] = [];
  const handle = createRouteHandler(
    { routes, service: { log }, basePath: '/x', name: 'x', invalidCode: 'x_invalid' },
    {
      authenticateServer: () => true,
      authenticateUser: () => undefined,
      onProblem: ({ cause }) => problems.push(cause),
    },
  );
  const ask = async (method: string, path: string) => {
    const response = await handle(new Request(`http://localhost${path}`, { method }));
    return [response?.status, response?.headers.get('allow') ?? null, await response?.text()];
  };
  expect(await ask('GET', '/x/7')).toEqual([200, null, '{"from":"id"}']);
  expect(await ask('GET', '/x/kinds')).toEqual([200, null, '{"from":"kinds"}']);
  expect((await ask('DELETE', '/x/kinds')).slice(0, 2)).toEqual([405, 'GET']);
  expect((await ask('POST', '/x/7')).slice(0, 2)).toEqual([405, 'GET, DELETE']);
  expect(await ask('GET', '/x/raw')).toEqual([200, null, 'plain']);
  expect((await ask('GET', '/x/%ff'))[0]).toBe(404);
  expect((await ask('GET', '/x/a%00b'))[0]).toBe(404);
  expect((await ask('GET', '/xy'))[0]).toBeUndefined();
  const [status, , text] = await ask('GET', '/x/broken');
  expect([status, String(text).includes('secret'), problems]).toEqual([
    500,
    false,
    [new Error('a secret')],
  ]);
  expect(log).toEqual(['raw']);
});

test('a user who is not admitted is answered before the body is read, and servers are not asked', async () => {
  const body = z.object({});
  const both = [
    route({ ...plain, side: 'user', method: 'POST', path: '/me', body, run: async () => ({}) }),
    route({ ...plain, method: 'POST', path: '/all', body, run: async () => ({}) }),
  ];
  const asked: string[] = [];
  const handle = createRouteHandler(
    { routes: both, service: { log: [] }, basePath: '/x', name: 'x', invalidCode: 'x_invalid' },
    {
      authenticateServer: () => true,
      authenticateUser: (request) => request.headers.get('user') ?? undefined,
      admitUser(user) {
        asked.push(user);
        if (user === 'bob') return;
        const headers = { 'retry-after': '7' };
        throw new HttpRefusal(
          { status: 429, code: 'too_many_requests', retryable: true, headers },
          'too fast',
        );
      },
    },
  );
  const ask = async (path: string, headers: Record<string, string>) => {
    const request = new Request(`http://localhost/x${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
    });
    const response = await handle(request);
    const retryAfter = response?.headers.get('retry-after') ?? null;
    return [response?.status, retryAfter, await response?.json(), request.bodyUsed];
  };
  expect(await ask('/me', { user: 'ann' })).toEqual([
    429,
    '7',
    { error: { code: 'too_many_requests', message: 'too fast', retryable: true } },
    false,
  ]);
  expect(await ask('/me', { user: 'bob' })).toEqual([200, null, {}, true]);
  expect((await ask('/me', {}))[0]).toBe(401);
  expect((await ask('/all', { user: 'ann' }))[0]).toBe(200);
  expect(asked).toEqual(['ann', 'bob']);
});

test('the document has every route', () => {
  const { paths } = openApiOf(routes, { basePath: '/x', name: 'x' });
  const methods = Object.entries(paths).map(
    ([path, item]) => `${path} ${Object.keys(item).join()}`,
  );
  expect(methods).toEqual(['/x/{id} get,delete', '/x/kinds get', '/x/raw get', '/x/broken get']);
});
