import { generateKeyPairSync } from 'node:crypto';
import { createJwtVerifier } from '@holdfast/hub';
import { forgeToken, JwksServer, respondWith } from '@holdfast/hub/testing';
import type { Centrifuge } from 'centrifuge';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { startHub } from './running-hub.ts';

const key = 'a secret of thirty-two bytes, or more';

function startSecured() {
  return startHub({
    client: { insecure: false },
    tokens: createJwtVerifier({ hmacSecretKey: key }),
  });
}

/** Connects until it is clear what comes of it. */
function outcomeOf(client: Centrifuge): Promise<{ readonly code?: number }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly code?: number }>();
  client.on('connected', () => resolve({}));
  client.on('disconnected', ({ code }) => resolve({ code }));
  client.connect();
  return promise;
}

describe('a stock client', () => {
  test.each([
    ['for a subscription', forgeToken({ claims: { sub: '42', channel: 'news' }, key })],
    ['with a number as user', forgeToken({ claims: { sub: 42 }, key })],
    ['with an expiry in milliseconds', forgeToken({ claims: { exp: Date.now() + 60_000 }, key })],
    ['without signature', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9.'],
    ['that is none', 'rubbish'],
    ['of sixty kilobytes', 'x'.repeat(60_000)],
  ])('with a token %s is refused for good', async (_, token) => {
    await using running = await startSecured();
    expect(await outcomeOf(running.client({ token }))).toEqual({ code: 3500 });
  });

  test.each([9_999_999_999, 253_402_300_799])(
    'with an expiry as far away as %d connects, subscribes and refreshes',
    async (exp) => {
      await using running = await startSecured();
      const claims = { sub: '42', exp };
      const token = forgeToken({ claims, key });
      const subscriptionToken = forgeToken({ claims: { ...claims, channel: '$news' }, key });
      expect(await outcomeOf(running.client({ token }))).toEqual({});

      await using session = await RawSession.connect(running.url, { token });
      const ttl = 2 ** 32 - 1;
      const subscribe = { channel: '$news', token: subscriptionToken };
      expect(await session.ask({ id: 2, subscribe })).toMatchObject({ subscribe: { ttl } });
      expect(await session.ask({ id: 3, refresh: { token } })).toMatchObject({ refresh: { ttl } });
      expect(await session.ask({ id: 4, sub_refresh: subscribe })).toMatchObject({
        sub_refresh: { ttl },
      });
      await running.hub.refresh({ user: '42' }, { expireAt: exp });
      const { push } = await session.wait((reply) => reply.push?.refresh !== undefined);
      expect(push).toEqual({ refresh: { expires: true, ttl } });
    },
  );

  test('keeps trying while the key set is down, and connects when it is back', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    await using server = await JwksServer.start();
    server.answer = respondWith('', 503);
    await using running = await startHub({
      client: { insecure: false },
      tokens: createJwtVerifier({ jwksPublicEndpoint: server.url(), jwks: { cooldownMs: 50 } }),
    });
    const claims = { sub: '42' };
    const token = forgeToken({ alg: 'EdDSA', key: privateKey, header: { kid: 'k' }, claims });
    const client = running.client({ token });
    const errors: number[] = [];
    client.on('error', ({ error }) => errors.push(error.code));
    const outcome = outcomeOf(client);
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1));
    expect(new Set(errors)).toEqual(new Set([100]));
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }];
    server.answer = respondWith(JSON.stringify({ keys }));
    expect(await outcome).toEqual({});
  });
});

describe('a subscription cannot be refreshed', () => {
  test.each([
    ['for another channel', { channel: '$other' }],
    ['for another user', { sub: '43' }],
    ['for another connection', { client: '7aa0c2d6-0000-4000-8000-000000000000' }],
  ])('with a token %s', async (_, difference) => {
    await using running = await startSecured();
    const right = { sub: '42', channel: '$news' };
    await using session = await RawSession.connect(running.url, {
      token: forgeToken({ claims: { sub: '42' }, key }),
    });
    const token = forgeToken({ claims: right, key });
    await session.ask({ id: 2, subscribe: { channel: '$news', token } });
    const wrong = forgeToken({ claims: { ...right, ...difference }, key });
    session.send({ id: 3, sub_refresh: { channel: '$news', token: wrong } });
    expect(await session.waitForClose()).toEqual({ code: 3500, reason: 'invalid token' });
  });
});
