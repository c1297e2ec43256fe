import { expect, test } from 'vitest';
import { z } from 'zod';
import { createRouteHandler, openApiOf, routeFor } from './index.ts';

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

test('the document has every route', () => {
  const { paths } = openApiOf(routes, { basePath: '/x', name: 'x' });
  const methods = Object.entries(paths).map(
    ([path, item]) => `${path} ${Object.keys(item).join()}`,
  );
  expect(methods).toEqual(['/x/{id} get,delete', '/x/kinds get', '/x/raw get', '/x/broken get']);
});
