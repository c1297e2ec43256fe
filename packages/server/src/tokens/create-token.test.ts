import { createJwtVerifier } from '@holdfast/hub';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import { createToken } from './create-token.ts';

const secret = 'a secret of thirty-two bytes, or more';
const now = 1_700_000_000_500;
const clock = { now: () => now, monotonic: () => 0, every: () => () => undefined };
const verifier = createJwtVerifier({ hmacSecretKey: secret, clock });

describe('a made token', () => {
  test('opens a connection with everything it was given', async () => {
    const token = await createToken({
      user: '42',
      secret,
      now,
      ttlSeconds: 60,
      info: { name: 'Ann' },
      meta: { plan: 'pro' },
      subs: { news: { data: { hello: 1 }, override: { presence: { value: true } } } },
    });
    expect(await verifier.verifyConnection(token)).toEqual({
      user: '42',
      expireAt: 1_700_000_060,
      info: Buffer.from('{"name":"Ann"}'),
      meta: Buffer.from('{"plan":"pro"}'),
      subs: { news: { data: Buffer.from('{"hello":1}'), overrides: { presence: true } } },
      token: { issuedAt: 1_700_000_000 },
    });
  });

  test('opens a subscription', async () => {
    const token = await createToken({ user: '', secret, now, channel: '$news', data: [1] });
    expect(await verifier.verifySubscription(token)).toEqual({
      user: '',
      channel: '$news',
      client: '',
      grant: { data: Buffer.from('[1]'), token: { issuedAt: 1_700_000_000 } },
    });
  });

  test.each(['HS256', 'HS384', 'HS512'] as const)('can be signed with %s', async (algorithm) => {
    const token = await createToken({ user: '1', secret, now, algorithm });
    expect(decodeProtectedHeader(token)).toEqual({ alg: algorithm, typ: 'JWT' });
    expect(await verifier.verifyConnection(token)).toEqual({
      user: '1',
      token: { issuedAt: 1_700_000_000 },
    });
  });

  test('has the claims that were asked for and no others', async () => {
    expect(decodeJwt(await createToken({ user: '1', secret, now }))).toEqual({
      sub: '1',
      iat: 1_700_000_000,
    });
    const options = { audience: 'app', issuer: 'us', userIdClaim: 'uid', expireAt: 0 };
    expect(decodeJwt(await createToken({ user: '1', secret, now, ...options }))).toEqual({
      uid: '1',
      iat: 1_700_000_000,
      expire_at: 0,
      aud: 'app',
      iss: 'us',
    });
  });

  test.each([
    [{ secret: '' }, /secret is empty/],
    [{ channel: '' }, /channel is empty/],
    [{ channel: 'a', channels: ['b'] }, /belong to connection tokens/],
    [{ channel: 'a', meta: 1 }, /belong to connection tokens/],
    [{ data: 1 }, /belong to subscription tokens/],
    [{ ttlSeconds: 0 }, /time to live/],
    [{ ttlSeconds: 1.5 }, /time to live/],
  ])('cannot be made of %j', async (options, message) => {
    const made = createToken({ user: '1', secret, ...options });
    await expect(made).rejects.toThrow(message);
    await expect(made).rejects.toThrow(RangeError);
  });
});
