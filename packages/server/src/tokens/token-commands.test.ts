import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createToken } from './create-token.ts';
import { tokenCheckCommand } from './token-check-command.ts';
import { tokenCreateCommand } from './token-create-command.ts';
import type { TokenSections } from './token-sections.ts';

const secret = 'a secret of thirty-two bytes, or more';
const otherSecret = 'another secret of thirty-two bytes, too';
const now = 1_700_000_000_000;
const nowSeconds = now / 1000;
const clock = { now: () => now, monotonic: () => 0, every: () => () => undefined };
const sections: TokenSections = { connection: { hmacSecretKey: secret, clock } };
const rsaPublicKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

describe('token create', () => {
  test('prints a token alone, which check accepts', async () => {
    const made = await tokenCreateCommand(
      { user: '42', info: '{"name":"Ann"}', channels: ['news', 'a b'], now },
      sections,
    );
    expect(made).toMatchObject({
      isOk: true,
      output: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      notes: [
        'a connection token for user "42", expires in 3600 s; signed with client.token.hmac_secret_key',
      ],
    });
    const checked = await tokenCheckCommand({ token: `${made.output}\n` }, sections);
    expect(checked.isOk).toBe(true);
    expect(checked.output.split('\n')).toEqual([
      'accepted: a connection token, verified with client.token',
      'user:     "42"',
      'expires:  2023-11-14T23:13:20.000Z (in 3600 s)',
      'channels: "news", "a b"',
      'header:   {"alg":"HS256","typ":"JWT"}',
      'claims:   {"sub":"42","iat":1700000000,"exp":1700003600,"channels":["news","a b"],"info":{"name":"Ann"}}',
    ]);
  });

  test('makes subscription tokens with the section that verifies them', async () => {
    const separate: TokenSections = {
      ...sections,
      subscription: { hmacSecretKey: otherSecret, clock, issuer: 'us' },
    };
    const options = { user: '', channel: '$news', data: '1', ttlSeconds: 0, now };
    const made = await tokenCreateCommand(options, separate);
    expect(made.notes).toEqual([
      'a subscription token for user "", never expires; signed with client.subscription_token.hmac_secret_key',
    ]);
    const checked = await tokenCheckCommand({ token: made.output }, separate);
    expect(checked.output).toMatch(/^accepted: a subscription token/);
    expect(checked.output).toContain('user:     anonymous\nchannel:  "$news"\nexpires:  never');
    const elsewhere = await tokenCheckCommand({ token: made.output }, sections);
    expect(elsewhere.output).toContain('get error 103 (permission denied) for the subscription');
  });

  test('gives the token what the configuration asks for', async () => {
    const strict: TokenSections = {
      connection: {
        hmacSecretKey: secret,
        clock,
        audience: 'app',
        issuerRegex: '^realm-',
        userIdClaim: 'uid',
      },
    };
    const refused = await tokenCreateCommand({ user: '1', now }, strict);
    expect(refused).toMatchObject({ isOk: false, output: '' });
    expect(refused.notes.join('\n')).toMatch(/would be refused:\nrefused: "iss" is missing/);
    const made = await tokenCreateCommand({ user: '1', issuer: 'realm-1', now }, strict);
    expect(made.isOk).toBe(true);
  });

  test.each<[string, TokenSections]>([
    ['no key', {}],
    ['a public key', { connection: { rsaPublicKey } }],
    [
      'a key set',
      { connection: { hmacSecretKey: secret, jwksPublicEndpoint: 'https://id.example/jwks' } },
    ],
  ])('says where tokens are made when there is %s', async (_, config) => {
    const made = await tokenCreateCommand({ user: '1' }, config);
    expect(made).toMatchObject({ isOk: false, output: '' });
    expect(made.notes.join()).toMatch(/client\.token has no hmac_secret_key/);
  });

  test.each([
    [{ info: '{name:1}' }, /info is not JSON/],
    [{ channel: 'a', meta: '1' }, /belong to connection tokens/],
    [{ data: '1' }, /need a channel/],
    [{ ttlSeconds: 1.5 }, /time to live/],
  ])('says what is wrong with %j', async (options, message) => {
    const made = await tokenCreateCommand({ user: '1', now, ...options }, sections);
    expect(made).toMatchObject({ isOk: false, output: '' });
    expect(made.notes.join()).toMatch(message);
  });
});

describe('token check', () => {
  test.each<[string, Promise<string> | string, RegExp[]]>([
    [
      'another secret',
      createToken({ user: '1', secret: otherSecret }),
      [/refused: .*signature/, /disconnected with 3500 \(invalid token\)/, /base64/],
    ],
    [
      'an old token',
      createToken({ user: '1', secret, ttlSeconds: 60, now: now - 100_000 }),
      [/"exp" was 40 s ago \(expired\)/, /error 109 \(token expired\)/, /getToken/],
    ],
    ['rubbish', 'hello', [/not three base64url parts/, /whole token was copied/]],
    ['nothing', '', [/not three base64url parts/]],
    [
      'milliseconds',
      createToken({ user: '1', secret, ttlSeconds: now }),
      [/"exp" is beyond the year 9999; these look like milliseconds/, /whole seconds/],
    ],
  ])('explains %s', async (_, token, patterns) => {
    const checked = await tokenCheckCommand({ token: await token }, sections);
    expect(checked.isOk).toBe(false);
    for (const pattern of patterns) expect(checked.output).toMatch(pattern);
  });

  test('explains a token of the other kind', async () => {
    const token = await createToken({ user: '1', secret, channel: 'news' });
    expect((await tokenCheckCommand({ token }, sections)).isOk).toBe(true);
    const asConnection = await tokenCheckCommand({ token, kind: 'connection' }, sections);
    expect(asConnection.output).toMatch(/"channel" is "news": a subscription token cannot open/);
    const connection = await createToken({ user: '1', secret });
    const options = { token: connection, kind: 'subscription' } as const;
    expect((await tokenCheckCommand(options, sections)).output).toMatch(/no "channel"/);
  });

  test('explains a key set that cannot be read', async () => {
    const config: TokenSections = {
      connection: {
        jwksPublicEndpoint: 'https://id.example/jwks',
        jwks: { fetch: () => Promise.reject(new Error('connection refused')) },
      },
    };
    const token =
      'eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    const { output } = await tokenCheckCommand({ token }, config);
    expect(output).toMatch(/connection refused \(keys_unavailable\)/);
    expect(output).toMatch(/error 100 \(internal server error\) and try again by themselves/);
    expect(output).toMatch(/client\.token\.jwks_public_endpoint/);
  });

  test('says so when there is no key to check with, and still shows what the token says', async () => {
    const token = await createToken({ user: '42', secret, now });
    const checked = await tokenCheckCommand({ token }, {});
    expect(checked.isOk).toBe(false);
    expect(checked.output).toMatch(/client\.token has no key.*\n.*\n.*"sub":"42"/);
  });

  test('never shows a secret', async () => {
    for (const key of ['short', secret]) {
      const config: TokenSections = {
        connection: { hmacSecretKey: key, hmacPreviousSecretKey: 'earlier' },
      };
      for (const by of [key, 'earlier', otherSecret]) {
        const token = await createToken({ user: '1', secret: by });
        const checked = await tokenCheckCommand({ token }, config);
        const made = await tokenCreateCommand({ user: '1' }, config);
        const text = JSON.stringify([checked, made]);
        expect(text).not.toContain(key);
        expect(text).not.toContain('earlier');
      }
    }
  });

  test('tells an expiry that is already over', async () => {
    const weak: TokenSections = { connection: { hmacSecretKey: 'secret', clock } };
    const token = await createToken({
      user: '1',
      secret: 'secret',
      expireAt: nowSeconds - 5,
      now,
    });
    const checked = await tokenCheckCommand({ token }, weak);
    expect(checked.output).toContain('(5 s ago)');
  });
});
