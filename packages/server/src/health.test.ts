import { expect, test } from 'vitest';
import { createHealthRoutes } from './health.ts';

async function ask(problems: readonly string[], concerns: readonly string[]) {
  const app = createHealthRoutes({ problems: () => problems, concerns: () => concerns });
  const response = await app.request('/ready');
  return { status: response.status, body: await response.json() };
}

test('a node that can serve is ready', async () => {
  expect(await ask([], [])).toEqual({ status: 200, body: { ready: true } });
});

test('a backend that is down does not take the node out of service, but is told', async () => {
  expect(await ask([], ['client.proxy.connect: down'])).toEqual({
    status: 200,
    body: { ready: true, concerns: ['client.proxy.connect: down'] },
  });
});

test('a problem does', async () => {
  expect(await ask(['no broker'], ['hook'])).toEqual({
    status: 503,
    body: { ready: false, problems: ['no broker'], concerns: ['hook'] },
  });
});
