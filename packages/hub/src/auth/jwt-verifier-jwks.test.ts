import { type KeyPairKeyObjectResult, generateKeyPairSync } from 'node:crypto';
import { disconnects, replyErrors } from '@holdfast/protocol';
import { describe, expect, test } from 'vitest';
import { JwksServer, respondWith } from '../testing/jwks-server.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { RecordedLogger } from '../testing/recorded-logger.ts';
import { forgeToken } from '../testing/token-forge.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import { createJwtVerifier } from './jwt-verifier.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

function jwks(keys: Readonly<Record<string, KeyPairKeyObjectResult>>): string {
  const members = Object.entries(keys).map(([kid, { publicKey }]) =>
    Object.assign(publicKey.export({ format: 'jwk' }), { kid }),
  );
  return JSON.stringify({ keys: members });
}

function tokenOf(kid: string | undefined, pair: KeyPairKeyObjectResult, claims: object = {}) {
  const algorithms: Readonly<Record<string, string>> = { rsa: 'RS256', ec: 'ES256' };
  return forgeToken({
    alg: algorithms[pair.privateKey.asymmetricKeyType ?? ''] ?? 'EdDSA',
    key: pair.privateKey,
    header: { kid },
    claims: { sub: '42', ...claims },
  });
}

/** A verifier and the endpoint of its keys. */
async function createScene(options: JwtVerifierOptions = {}) {
  const server = await JwksServer.start();
  const clock = new ManualClock();
  const logger = new RecordedLogger();
  const verifier = createJwtVerifier({
    jwksPublicEndpoint: server.url(),
    clock,
    logger,
    ...options,
    jwks: { timeoutMs: 2_000, ...options.jwks },
  });
  return { server, clock, logger, verifier, [Symbol.asyncDispose]: () => server.close() };
}

describe('tokens of a key set', () => {
  test('are verified by the key that their kid names', async () => {
    await using scene = await createScene();
    const { server, verifier } = scene;
    server.answer = respondWith(jwks({ r: rsa, e: ec, o: ed }));
    for (const [kid, pair] of Object.entries({ r: rsa, e: ec, o: ed })) {
      expect(await verifier.verifyConnection(tokenOf(kid, pair))).toEqual({
        user: '42',
        token: {},
      });
    }
    expect(server.requestCount).toBe(1);
    const otherType = await verifier.examineConnection(tokenOf('e', rsa));
    expect(otherType).toMatchObject({ reason: 'algorithm' });
    const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(await verifier.verifyConnection(tokenOf('r', otherRsa))).toBe(disconnects.invalidToken);
  });

  test('cannot be signed with a secret, published or guessed', async () => {
    await using scene = await createScene({ hmacSecretKey: 'also configured, thirty-two bytes' });
    const { server, verifier } = scene;
    const oct = { kty: 'oct', kid: 'h', k: 'c2VjcmV0', alg: 'HS256' };
    const { keys } = JSON.parse(jwks({ r: rsa })) as { readonly keys: readonly object[] };
    server.answer = respondWith(JSON.stringify({ keys: [...keys, oct] }));
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    for (const key of [
      'secret',
      pem,
      JSON.stringify(keys[0]),
      'also configured, thirty-two bytes',
    ]) {
      for (const kid of ['h', 'r']) {
        const token = forgeToken({ key, header: { kid } });
        expect(await verifier.verifyConnection(token)).toBe(disconnects.invalidToken);
      }
    }
  });

  test.each([undefined, '', 'other', '../r', '__proto__', 'r\0', 'R'])(
    'are refused with the kid %j',
    async (kid) => {
      await using scene = await createScene();
      scene.server.answer = respondWith(jwks({ r: rsa }));
      expect(await scene.verifier.verifyConnection(tokenOf(kid, rsa))).toBe(
        disconnects.invalidToken,
      );
    },
  );

  test('go on when the issuer rotates its keys', async () => {
    await using scene = await createScene();
    const { server, clock, verifier } = scene;
    server.answer = respondWith(jwks({ old: rsa }));
    expect(await verifier.verifyConnection(tokenOf('old', rsa))).toEqual({ user: '42', token: {} });
    server.answer = respondWith(jwks({ old: rsa, new: ed }));
    clock.advance(10_000);
    expect(await verifier.verifyConnection(tokenOf('new', ed))).toEqual({ user: '42', token: {} });
    server.answer = respondWith(jwks({ new: ed }));
    clock.advance(3_600_000);
    expect(await verifier.verifyConnection(tokenOf('old', rsa))).toBe(disconnects.invalidToken);
    expect(await verifier.verifyConnection(tokenOf('new', ed))).toEqual({ user: '42', token: {} });
    expect(server.requestCount).toBe(3);
  });

  test('with made-up kids cost the endpoint one request per cooldown', async () => {
    await using scene = await createScene();
    const { server, clock, verifier } = scene;
    server.answer = respondWith(jwks({ r: rsa }));
    await verifier.verifyConnection(tokenOf('r', rsa));
    clock.advance(10_000);
    const tokens = Array.from({ length: 200 }, (_, index) => tokenOf(`made-up-${index}`, ed));
    await Promise.all(tokens.map(async (token) => verifier.verifyConnection(token)));
    expect(server.requestCount).toBe(2);
  });

  test.each<[string, (server: JwksServer) => void | Promise<void>]>([
    ['down', (server) => server.close()],
    [
      'slow',
      (server) => {
        server.answer = () => undefined;
      },
    ],
    [
      'answering garbage',
      (server) => {
        server.answer = respondWith('<html>');
      },
    ],
    [
      'answering too much',
      (server) => {
        server.answer = respondWith(`{"keys":[],"padding":"${'x'.repeat(1_048_576)}"}`);
      },
    ],
    [
      'redirecting',
      (server) => {
        server.answer = (_, response) => response.writeHead(302, { location: '/' }).end();
      },
    ],
    [
      'failing',
      (server) => {
        server.answer = respondWith('oops', 500);
      },
    ],
  ])('are to be tried again later while the endpoint is %s', async (_, breakIt) => {
    await using scene = await createScene({ jwks: { timeoutMs: 100 } });
    const { server, logger, verifier } = scene;
    const token = tokenOf('r', rsa);
    await breakIt(server);
    expect(await verifier.verifyConnection(token)).toBe(replyErrors.internal);
    expect(await verifier.verifySubscription(tokenOf('r', rsa, { channel: 'a' }))).toBe(
      replyErrors.internal,
    );
    expect(Object.fromEntries(verifier.metrics.jwksReads.counts)).toEqual({ error: 1 });
    expect(verifier.metrics.refusedTokens.counts.get('keys_unavailable')).toBe(2);
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]?.message).toMatch(/could not be read: .*Check jwks_public_endpoint/);
    for (const part of token.split('.')) expect(logger.text).not.toContain(part);
  });

  test('go on while the endpoint is down for less than a day', async () => {
    await using scene = await createScene();
    const { server, clock, verifier } = scene;
    server.answer = respondWith(jwks({ r: rsa }));
    const token = tokenOf('r', rsa);
    expect(await verifier.verifyConnection(token)).toEqual({ user: '42', token: {} });
    const { port } = server;
    await server.close();
    clock.advance(4_000_000);
    expect(await verifier.verifyConnection(token)).toEqual({ user: '42', token: {} });
    clock.advance(86_400_000);
    expect(await verifier.verifyConnection(token)).toBe(replyErrors.internal);
    await server.listen(port);
    clock.advance(5_000);
    expect(await verifier.verifyConnection(token)).toEqual({ user: '42', token: {} });
  });

  test('by a key that cannot be used are to be tried again later', async () => {
    await using scene = await createScene();
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
    scene.server.answer = respondWith(jwks({ r: short }));
    const verdict = await scene.verifier.examineConnection(tokenOf('r', short));
    expect(verdict).toMatchObject({
      reason: 'keys_unavailable',
      detail: expect.stringContaining('1024 bits'),
    });
  });
});

describe('tokens of several tenants', () => {
  const tenants = { issuerRegex: 'https://id.example/(?P<tenant>one|two)' };

  test('are verified by the keys of their own tenant, also when kids are alike', async () => {
    await using server = await JwksServer.start();
    const sets: Readonly<Record<string, string>> = {
      '/one/jwks': jwks({ k: ed }),
      '/two/jwks': jwks({ k: generateKeyPairSync('ed25519') }),
    };
    server.answer = (request, response) => response.end(sets[request.url ?? '']);
    const verifier = createJwtVerifier({
      ...tenants,
      jwksPublicEndpoint: server.url('/{{tenant}}/jwks'),
    });
    const ofOne = tokenOf('k', ed, { iss: 'https://id.example/one' });
    const asTwo = tokenOf('k', ed, { iss: 'https://id.example/two' });
    expect(await verifier.verifyConnection(ofOne)).toEqual({ user: '42', token: {} });
    expect(await verifier.verifyConnection(asTwo)).toBe(disconnects.invalidToken);
    expect(await verifier.verifyConnection(ofOne)).toEqual({ user: '42', token: {} });
    const unknown = tokenOf('k', ed, { iss: 'https://id.example/three' });
    expect(await verifier.verifyConnection(unknown)).toBe(disconnects.invalidToken);
    expect(server.requestCount).toBe(2);
  });

  test('never make the server ask a host inside', async () => {
    const logger = new RecordedLogger();
    const verifier = createJwtVerifier({
      ...tenants,
      issuerRegex: '(?<host>[a-z0-9-]+)',
      insecureSkipJwksEndpointSafetyCheck: true,
      jwksPublicEndpoint: 'https://{{host}}/jwks',
      logger,
    });
    // The URL parser reads this number as 169.254.169.254, where clouds keep their secrets.
    const token = tokenOf('k', ed, { iss: '2852039166' });
    expect(await verifier.verifyConnection(token)).toBe(replyErrors.internal);
    expect(logger.text).toContain('169.254.169.254, which is not public');
  });

  test('cost a bounded number of requests at a time', async () => {
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const verifier = createJwtVerifier({
      issuerRegex: '(?<tenant>.+)',
      insecureSkipJwksEndpointSafetyCheck: true,
      jwksPublicEndpoint: 'https://id.example/{{tenant}}/jwks',
      jwks: {
        maxConcurrentReads: 4,
        fetch: async () => {
          running += 1;
          most = Math.max(most, running);
          await gate.promise;
          running -= 1;
          return jwks({ k: ed });
        },
      },
    });
    const answers = Array.from({ length: 50 }, async (_, index) =>
      verifier.verifyConnection(tokenOf('k', ed, { iss: `t${index}` })),
    );
    await expect.poll(() => verifier.metrics.refusedTokens.counts.get('keys_unavailable')).toBe(46);
    gate.resolve();
    const accepted = (await Promise.all(answers)).filter((answer) => 'user' in answer);
    expect(accepted).toHaveLength(4);
    expect(most).toBe(4);
  });
});

test.each<[JwtVerifierOptions['jwks'] & object, string]>([
  [{ timeoutMs: 0 }, 'jwks.timeoutMs'],
  [{ maxBytes: -1 }, 'jwks.maxBytes'],
  [{ cacheTtlMs: Number.NaN }, 'jwks.cacheTtlMs'],
])('limits that are none are refused: %j', (limits, option) => {
  const options = { jwksPublicEndpoint: 'https://id.example/jwks', jwks: limits };
  expect(() => createJwtVerifier(options)).toThrow(option);
});
