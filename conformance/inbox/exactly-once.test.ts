import { startPostgres, testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { TcpRelay } from '../network/tcp-relay.ts';
import { killing, runTroubledServer } from './troubled-server.ts';

// Ten thousand sends on both: `npx node --conditions=@holdfast/source conformance/inbox/exactly-once-run.ts`
describe.each(testBackends)('$name', (backend) => {
  test('the server is killed again and again: an application hears each notification exactly once', async () => {
    await using database = await backend.create();
    const sends = 200;
    const trouble = killing(sends, { maxSendsPerLife: 150 });
    const result = await runTroubledServer({ sends, users: 4, storeUrl: database.url, trouble });
    expect(result).toMatchObject({ missing: 0, doubled: 0 });
    expect(result.kills).toBeGreaterThan(0);
  }, 240_000);
});

test('PostgreSQL fails over under a load of sends: each is heard exactly once, and /ready tells', async () => {
  await using primary = await startPostgres();
  await using standby = await primary.startStandby();
  const url = new URL(await primary.createDatabase('app'));
  await using address = await TcpRelay.start(primary.port);
  url.port = `${address.port}`;
  const patience = { timeout: 60_000, interval: 20 };
  const result = await runTroubledServer({
    sends: 400,
    users: 4,
    storeUrl: url.href,
    async trouble(server) {
      const concerns = async (): Promise<unknown> =>
        ((await (await fetch(`${server.url}/ready`)).json()) as { concerns?: unknown }).concerns;
      await server.acknowledged(150);
      expect(await concerns()).toBeUndefined();
      await primary.kill();
      await vi.waitFor(async () => {
        expect(await concerns()).toEqual([
          expect.stringMatching(/^the store cannot be used right now/),
        ]);
      }, patience);
      const refused = await server.sendAside();
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('1');
      expect(await refused.json()).toMatchObject({
        error: { code: expect.stringMatching(/^store_(?:unreachable|busy)$/), retryable: true },
      });
      await standby.execute('select pg_promote()');
      address.target = standby.port;
      await server.acknowledged(400);
      await vi.waitFor(async () => expect(await concerns()).toBeUndefined(), patience);
    },
  });
  expect(result).toMatchObject({ missing: 0, doubled: 0 });
  expect(result.repeated).toBeGreaterThan(0);
}, 240_000);
