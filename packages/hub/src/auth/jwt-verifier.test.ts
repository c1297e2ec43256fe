import { type KeyObject, generateKeyPairSync, randomBytes } from 'node:crypto';
import { disconnects, replyErrors } from '@holdfast/protocol';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../testing/manual-clock.ts';
import { RecordedLogger } from '../testing/recorded-logger.ts';
import { encodePart, forgeToken, signPart } from '../testing/token-forge.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import { createJwtVerifier } from './jwt-verifier.ts';
import { TokenOptionError } from './token-option-error.ts';
import { TokenRefusal } from './token-refusal.ts';

const secret = 'correct horse battery staple, twice over';
const clock = new ManualClock(1_700_000_000_000);
const nowSeconds = 1_700_000_000;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

const rsaPublicKey = pem(rsa.publicKey);
const ecdsaPublicKey = pem(p256.publicKey);

function verifierWith(options: JwtVerifierOptions) {
  return createJwtVerifier({ clock, ...options });
}

async function reasonFor(token: string, options: JwtVerifierOptions): Promise<string> {
  const result = await verifierWith(options).examineConnection(token);
  return result instanceof TokenRefusal ? result.reason : 'accepted';
}

describe('signatures', () => {
  test.each([
    ['HS256', secret, { hmacSecretKey: secret }],
    ['HS384', secret, { hmacSecretKey: secret }],
    ['HS512', secret, { hmacSecretKey: secret }],
    ['RS256', rsa.privateKey, { rsaPublicKey }],
    ['RS384', rsa.privateKey, { rsaPublicKey }],
    ['RS512', rsa.privateKey, { rsaPublicKey }],
    ['ES256', p256.privateKey, { ecdsaPublicKey }],
    ['ES384', p384.privateKey, { ecdsaPublicKey: pem(p384.publicKey) }],
    ['ES512', p521.privateKey, { ecdsaPublicKey: pem(p521.publicKey) }],
    ['EdDSA', ed25519.privateKey, { ed25519PublicKey: pem(ed25519.publicKey) }],
    ['Ed25519', ed25519.privateKey, { ed25519PublicKey: pem(ed25519.publicKey) }],
  ])('of %s are verified', async (alg, key, options) => {
    const verifier = verifierWith(options);
    const claims = { sub: '42', channel: 'news' };
    const token = forgeToken({ claims: { sub: '42' }, alg, key });
    expect(await verifier.verifyConnection(token)).toEqual({ user: '42', token: {} });
    expect(await verifier.verifySubscription(forgeToken({ claims, alg, key }))).toMatchObject({
      user: '42',
      channel: 'news',
    });

    const [header = '', , signature = ''] = token.split('.');
    const otherClaims = `${header}.${encodePart({ sub: '43' })}.${signature}`;
    expect(await verifier.verifyConnection(otherClaims)).toBe(disconnects.invalidToken);
    const flipped = Buffer.from(signature, 'base64url');
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    const otherSignature = token.replace(signature, flipped.toString('base64url'));
    expect(await verifier.verifyConnection(otherSignature)).toBe(disconnects.invalidToken);
    const shorter = token.replace(signature, flipped.subarray(1).toString('base64url'));
    expect(await verifier.verifyConnection(shorter)).toBe(disconnects.invalidToken);
  });

  test('of a shared secret are verified at once, good or bad', () => {
    const verifier = verifierWith({ hmacSecretKey: secret });
    const tokenBy = (key: string): string => forgeToken({ claims: { sub: '42' }, key });
    expect(verifier.verifyConnection(tokenBy(secret))).toEqual({ user: '42', token: {} });
    expect(verifier.verifyConnection(tokenBy(`${secret}!`))).toBe(disconnects.invalidToken);
  });

  test('of another secret are refused', async () => {
    expect(await reasonFor(forgeToken({ key: 'other' }), { hmacSecretKey: secret })).toBe(
      'signature',
    );
  });

  test('with the empty secret are refused, and so is the empty secret', async () => {
    expect(await reasonFor(forgeToken({ key: '' }), { hmacSecretKey: secret })).toBe('signature');
    expect(() => verifierWith({ hmacSecretKey: '' })).toThrow(/hmacSecretKey: is empty/);
  });

  test('made with the public key as a secret are refused', async () => {
    const der = rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('latin1');
    for (const key of [rsaPublicKey, rsaPublicKey.trim(), der]) {
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const token = forgeToken({ key, alg });
        expect(await reasonFor(token, { rsaPublicKey })).toBe('algorithm');
        expect(await reasonFor(token, { rsaPublicKey, hmacSecretKey: secret })).toBe('signature');
      }
    }
    expect(() => verifierWith({ hmacSecretKey: rsaPublicKey })).toThrow(/not a shared secret/);
  });

  test('of one algorithm do not count for another, also of the same key', async () => {
    const hs256 = forgeToken({ key: secret, header: { alg: 'HS384' } });
    expect(await reasonFor(hs256, { hmacSecretKey: secret })).toBe('signature');
    const rs256 = forgeToken({ key: rsa.privateKey, alg: 'RS256', header: { alg: 'RS512' } });
    expect(await reasonFor(rs256, { rsaPublicKey })).toBe('signature');
    const es384 = forgeToken({ key: p384.privateKey, alg: 'ES384' });
    expect(await reasonFor(es384, { ecdsaPublicKey })).toBe('algorithm');
    const es256 = forgeToken({ key: p256.privateKey, alg: 'ES256', header: { alg: 'ES384' } });
    expect(await reasonFor(es256, { ecdsaPublicKey })).toBe('algorithm');
  });

  test.each(['none', 'None', 'NONE', 'nOnE'])('are never left out: alg %s', async (alg) => {
    const options = { hmacSecretKey: secret, rsaPublicKey };
    const unsigned = `${encodePart({ alg })}.${encodePart({ sub: 'admin' })}`;
    expect(await reasonFor(`${unsigned}.`, options)).toBe('malformed');
    expect(await reasonFor(`${unsigned}.AAAA`, options)).toBe('algorithm');
    expect(await reasonFor(`${unsigned}.${signPart(unsigned, 'HS256', secret)}`, options)).toBe(
      'algorithm',
    );
  });

  test('of all zeros are refused (CVE-2022-21449)', async () => {
    const unsigned = `${encodePart({ alg: 'ES256' })}.${encodePart({ sub: 'admin' })}`;
    const zeros = Buffer.alloc(64).toString('base64url');
    expect(await reasonFor(`${unsigned}.${zeros}`, { ecdsaPublicKey })).toBe('signature');
  });

  test('by keys that the token brings along or points to are refused', async () => {
    const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = attacker.publicKey.export({ format: 'jwk' });
    for (const header of [
      { jwk },
      { jku: 'https://attacker.example/jwks' },
      { x5u: 'https://attacker.example/cert' },
      { x5c: [pem(attacker.publicKey)] },
    ]) {
      const token = forgeToken({ key: attacker.privateKey, alg: 'RS256', header });
      expect(await reasonFor(token, { rsaPublicKey })).toBe('signature');
    }
  });

  test.each(['../../dev/null', "' OR 1=1 --", '__proto__', '\0', '/proc/self/environ', ''])(
    'with the kid %j are looked for nowhere else',
    async (kid) => {
      const options = { hmacSecretKey: secret };
      expect(await reasonFor(forgeToken({ key: '', header: { kid } }), options)).toBe('signature');
      expect(await reasonFor(forgeToken({ key: secret, header: { kid } }), options)).toBe(
        'accepted',
      );
    },
  );

  test('take part in nothing when crit is there', async () => {
    const header = { crit: ['b64'], b64: false };
    const token = forgeToken({ key: secret, header });
    expect(await reasonFor(token, { hmacSecretKey: secret })).toBe('critical_header');
  });

  test('of the previous secret count until it ends', async () => {
    const rotating = new ManualClock(nowSeconds * 1000);
    const verifier = createJwtVerifier({
      clock: rotating,
      hmacSecretKey: secret,
      hmacPreviousSecretKey: 'the one before, also thirty-two bytes',
      hmacPreviousSecretKeyValidUntil: nowSeconds + 60,
    });
    const old = forgeToken({ claims: { sub: '1' }, key: 'the one before, also thirty-two bytes' });
    const current = forgeToken({ claims: { sub: '1' }, key: secret });
    rotating.advance(59_999);
    expect(await verifier.verifyConnection(old)).toEqual({ user: '1', token: {} });
    expect(await verifier.verifyConnection(current)).toEqual({ user: '1', token: {} });
    rotating.advance(1);
    expect(await verifier.verifyConnection(old)).toBe(disconnects.invalidToken);
    expect(await verifier.verifyConnection(current)).toEqual({ user: '1', token: {} });
  });

  test('of the previous secret count for ever without an end', async () => {
    const options = { hmacSecretKey: secret, hmacPreviousSecretKey: 'before' };
    const token = forgeToken({ key: 'before' });
    expect(await reasonFor(token, { ...options, hmacPreviousSecretKeyValidUntil: 0 })).toBe(
      'accepted',
    );
    expect(await reasonFor(token, options)).toBe('accepted');
  });

  test('may be by any of several configured keys', async () => {
    const options = { hmacSecretKey: secret, rsaPublicKey, ecdsaPublicKey };
    for (const [alg, key] of [
      ['HS512', secret],
      ['RS256', rsa.privateKey],
      ['ES256', p256.privateKey],
    ] as const) {
      expect(await reasonFor(forgeToken({ alg, key }), options)).toBe('accepted');
    }
  });

  test('are skipped only in insecure mode', async () => {
    const skip = { insecureSkipTokenSignatureVerify: true };
    expect(() => verifierWith(skip)).toThrow(
      /insecureSkipTokenSignatureVerify: .*client\.insecure/,
    );
    const verifier = verifierWith({ ...skip, insecure: true });
    expect(verifier.warnings).toEqual([expect.stringContaining('anyone can be any user')]);
    const token = forgeToken({ claims: { sub: 'anyone' }, key: 'whatever' });
    expect(await verifier.verifyConnection(token)).toEqual({ user: 'anyone', token: {} });
    const expired = forgeToken({ claims: { exp: nowSeconds - 1 }, key: 'whatever' });
    expect(await verifier.verifyConnection(expired)).toBe(replyErrors.tokenExpired);
  });
});

describe('time', () => {
  const options = { hmacSecretKey: secret };

  test.each([
    [{ exp: nowSeconds + 1 }, 'accepted'],
    [{ exp: nowSeconds }, 'expired'],
    [{ exp: 0 }, 'expired'],
    [{ exp: -5 }, 'expired'],
    [{ nbf: nowSeconds }, 'accepted'],
    [{ nbf: nowSeconds + 30 }, 'accepted'],
    [{ nbf: nowSeconds + 31 }, 'not_yet_valid'],
    [{ iat: nowSeconds + 3600 }, 'accepted'],
    [{ exp: nowSeconds - 1, expire_at: nowSeconds + 60 }, 'expired'],
  ])('%j: %s', async (claims, expected) => {
    expect(await reasonFor(forgeToken({ claims, key: secret }), options)).toBe(expected);
  });

  test('is told to the client as token expired, which makes it fetch another', async () => {
    const verifier = verifierWith(options);
    for (const claims of [{ exp: nowSeconds - 1 }, { nbf: nowSeconds + 60 }]) {
      const connection = forgeToken({ claims, key: secret });
      const subscription = forgeToken({ claims: { ...claims, channel: 'a' }, key: secret });
      expect(await verifier.verifyConnection(connection)).toBe(replyErrors.tokenExpired);
      expect(await verifier.verifySubscription(subscription)).toBe(replyErrors.tokenExpired);
    }
  });

  test('has a leeway that can be set, and moves the expiry with it', async () => {
    const lenient = verifierWith({ ...options, expLeewayMs: 30_000, nbfLeewayMs: 0 });
    const expired = forgeToken({ claims: { exp: nowSeconds - 29 }, key: secret });
    expect(await lenient.verifyConnection(expired)).toEqual({
      user: '',
      expireAt: nowSeconds + 1,
      token: {},
    });
    const over = forgeToken({ claims: { exp: nowSeconds - 30 }, key: secret });
    expect(await lenient.verifyConnection(over)).toBe(replyErrors.tokenExpired);
    const early = forgeToken({ claims: { nbf: nowSeconds + 1 }, key: secret });
    expect(await lenient.verifyConnection(early)).toBe(replyErrors.tokenExpired);
  });

  test('comes after everything else: an expired token of a stranger is not worth renewing', async () => {
    const claims = { exp: nowSeconds - 1 };
    expect(await reasonFor(forgeToken({ claims, key: 'other' }), options)).toBe('signature');
    const token = forgeToken({ claims, key: secret });
    expect(await reasonFor(token, { ...options, issuer: 'us' })).toBe('issuer');
  });
});

describe('issuer and audience', () => {
  test.each<[object, JwtVerifierOptions, string]>([
    [{ iss: 'us' }, { issuer: 'us' }, 'accepted'],
    [{ iss: 'us2' }, { issuer: 'us' }, 'issuer'],
    [{ iss: 'US' }, { issuer: 'us' }, 'issuer'],
    [{}, { issuer: 'us' }, 'issuer'],
    [{ iss: 'realm-7' }, { issuerRegex: '^realm-[0-9]$' }, 'accepted'],
    [{ iss: 'realm-77' }, { issuerRegex: '^realm-[0-9]$' }, 'issuer'],
    [{ iss: 'realm-7\n' }, { issuerRegex: '^realm-[0-9]$' }, 'issuer'],
    [{ iss: 'realm-7' }, { issuerRegex: '(?P<realm>realm)' }, 'accepted'],
    [{}, { issuerRegex: '^realm' }, 'issuer'],
    [{ aud: 'app' }, { audience: 'app' }, 'accepted'],
    [{ aud: ['other', 'app'] }, { audience: 'app' }, 'accepted'],
    [{ aud: ['other'] }, { audience: 'app' }, 'audience'],
    [{ aud: [] }, { audience: 'app' }, 'audience'],
    [{ aud: 'apps' }, { audience: 'app' }, 'audience'],
    [{}, { audience: 'app' }, 'audience'],
    [{ aud: ['x', 'app-1'] }, { audienceRegex: '^app-' }, 'accepted'],
    [{ aud: ['x'] }, { audienceRegex: '^app-' }, 'audience'],
    [{ iss: 'anyone', aud: 'anything' }, {}, 'accepted'],
    [{ iss: 'anyone' }, { issuer: '', audience: '', issuerRegex: '' }, 'accepted'],
  ])('%j with %j: %s', async (claims, rules, expected) => {
    const token = forgeToken({ claims, key: secret });
    expect(await reasonFor(token, { hmacSecretKey: secret, ...rules })).toBe(expected);
  });
});

describe('options that cannot work', () => {
  const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  test.each<[string, JwtVerifierOptions, RegExp]>([
    ['no key', {}, /no key/],
    ['previous secret alone', { hmacPreviousSecretKey: 'x' }, /needs hmacSecretKey/],
    ['empty previous secret', { hmacSecretKey: secret, hmacPreviousSecretKey: '' }, /empty/],
    [
      'an end in milliseconds as text',
      {
        hmacSecretKey: secret,
        hmacPreviousSecretKey: 'x',
        hmacPreviousSecretKeyValidUntil: Number.NaN,
      },
      /Unix seconds/,
    ],
    ['empty key', { rsaPublicKey: '' }, /empty/],
    ['a key that is none', { rsaPublicKey: 'hello' }, /not a public key in PEM/],
    ['escaped line breaks', { rsaPublicKey: rsaPublicKey.replaceAll('\n', String.raw`\n`) }, /PEM/],
    ['a private key', { rsaPublicKey: privatePem }, /private key/],
    ['a short RSA key', { rsaPublicKey: pem(shortRsa.publicKey) }, /1024 bits/],
    ['an EC key for RSA', { rsaPublicKey: ecdsaPublicKey }, /type ec/],
    ['an RSA key for EC', { ecdsaPublicKey: rsaPublicKey }, /type rsa/],
    ['another curve', { ecdsaPublicKey: pem(koblitz.publicKey) }, /secp256k1/],
    ['an RSA key for Ed25519', { ed25519PublicKey: rsaPublicKey }, /type rsa/],
    ['issuer twice', { hmacSecretKey: secret, issuer: 'a', issuerRegex: 'a' }, /not both/],
    ['audience twice', { hmacSecretKey: secret, audience: 'a', audienceRegex: 'a' }, /not both/],
    ['a broken pattern', { hmacSecretKey: secret, issuerRegex: '(' }, /regular expression/],
    ['Go anchors', { hmacSecretKey: secret, issuerRegex: String.raw`\Aus\z` }, /regular/],
    ['a claim path', { hmacSecretKey: secret, userIdClaim: 'user.id' }, /letters/],
    ['no size', { hmacSecretKey: secret, maxTokenBytes: 0 }, /above 0/],
    ['negative leeway', { hmacSecretKey: secret, expLeewayMs: -1 }, /negative/],
  ])('are refused at construction: %s', (_, options, message) => {
    expect(() => verifierWith(options)).toThrow(TokenOptionError);
    expect(() => verifierWith(options)).toThrow(message);
  });

  test('are told without the key', () => {
    const secretLine = privatePem.split('\n')[1] ?? '';
    expect(secretLine.length).toBe(64);
    expect(() => verifierWith({ rsaPublicKey: privatePem })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secretLine) }),
    );
  });

  test('accept PKCS#1 in place of SPKI', async () => {
    const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    const token = forgeToken({ key: rsa.privateKey, alg: 'RS256' });
    expect(await reasonFor(token, { rsaPublicKey: pkcs1 })).toBe('accepted');
  });
});

describe('warnings', () => {
  test('are returned and logged once for secrets that can be guessed', () => {
    const logger = new RecordedLogger();
    const { warnings } = verifierWith({ hmacSecretKey: 'secret', logger });
    expect(warnings).toEqual([expect.stringContaining('hmacSecretKey is 6 bytes long')]);
    expect(logger.lines.map(({ message }) => message)).toEqual(warnings);
  });

  test('name white space around a secret, and keys that are not used', () => {
    const spaced = verifierWith({ hmacSecretKey: `${secret}\n` });
    expect(spaced.warnings).toEqual([expect.stringContaining('white space')]);
    const unused = verifierWith({
      hmacSecretKey: secret,
      jwksPublicEndpoint: 'https://id.example/jwks',
    });
    expect(unused.warnings).toEqual([expect.stringContaining('hmacSecretKey not used')]);
  });

  test('are none for what is as it should be', () => {
    expect(verifierWith({ hmacSecretKey: randomBytes(32).toString('hex') }).warnings).toEqual([]);
  });
});

describe('refusals', () => {
  test('are counted by reason and logged with it, one line per reason in a while', async () => {
    const logger = new RecordedLogger();
    const quiet = new ManualClock();
    const verifier = createJwtVerifier({ hmacSecretKey: secret, clock: quiet, logger });
    for (let count = 0; count < 1000; count += 1) {
      await verifier.verifyConnection(forgeToken({ key: 'wrong' }));
    }
    await verifier.verifyConnection('rubbish');
    await verifier.verifyConnection(forgeToken({ claims: { exp: 1 }, key: secret }));
    expect(Object.fromEntries(verifier.metrics.refusedTokens.counts)).toEqual({
      signature: 1000,
      malformed: 1,
      expired: 1,
    });
    expect(logger.lines).toMatchObject([
      { fields: { kind: 'connection', reason: 'signature' } },
      { fields: { kind: 'connection', reason: 'malformed' } },
    ]);
    quiet.advance(30_000);
    await verifier.verifyConnection(forgeToken({ key: 'wrong' }));
    expect(logger.lines.at(-1)).toMatchObject({ fields: { suppressed: 999 } });
  });

  test('never show the token, its user or the secret', async () => {
    const logger = new RecordedLogger();
    const verifier = verifierWith({ hmacSecretKey: secret, issuer: 'us', logger });
    const tokens = [
      forgeToken({ claims: { sub: 'private-user' }, key: 'wrong' }),
      forgeToken({ claims: { sub: 'private-user', exp: 'x' }, key: secret }),
      forgeToken({ claims: { sub: 'private-user' }, key: secret }),
      forgeToken({ claims: { sub: 'private-user', channel: 'c', iss: 'us' }, key: secret }),
    ];
    for (const token of tokens) {
      expect(await verifier.verifyConnection(token)).toBe(disconnects.invalidToken);
      for (const part of token.split('.')) expect(logger.text).not.toContain(part);
    }
    expect(logger.lines.length).toBeGreaterThan(1);
    expect(logger.text).not.toContain('private-user');
    expect(logger.text).not.toContain(secret);
  });

  test('keep each kind of token to its purpose', async () => {
    const verifier = verifierWith({ hmacSecretKey: secret });
    const connection = forgeToken({ claims: { sub: '1' }, key: secret });
    const subscription = forgeToken({ claims: { sub: '1', channel: 'a' }, key: secret });
    expect(await verifier.verifySubscription(connection)).toBe(disconnects.invalidToken);
    expect(await verifier.verifyConnection(subscription)).toBe(disconnects.invalidToken);
  });

  test('have a limit on size', async () => {
    const big = forgeToken({ claims: { info: 'x'.repeat(8000) }, key: secret });
    expect(await reasonFor(big, { hmacSecretKey: secret })).toBe('too_long');
    expect(await reasonFor(big, { hmacSecretKey: secret, maxTokenBytes: 20_000 })).toBe('accepted');
  });
});
