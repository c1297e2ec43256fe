import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Credentials } from '../events.ts';
import type { JsonObject } from './compact-jws.ts';
import {
  type ClaimRules,
  type ParsedToken,
  parseConnectionClaims,
  parseSubscriptionClaims,
} from './token-claims.ts';
import { TokenRefusal } from './token-refusal.ts';

function jws(claims: object | string) {
  const claimsText = typeof claims === 'string' ? claims : JSON.stringify(claims);
  return { claims: JSON.parse(claimsText) as JsonObject, claimsText };
}

function accept<Value>(result: ParsedToken<Value> | TokenRefusal): ParsedToken<Value> {
  if (result instanceof TokenRefusal) throw new Error(`${result.reason}: ${result.detail}`);
  return result;
}

function connection(claims: object | string, rules?: ClaimRules): Credentials {
  return accept(parseConnectionClaims(jws(claims), rules)).value;
}

function subscription(claims: object | string, rules?: ClaimRules) {
  return accept(parseSubscriptionClaims(jws(claims), rules)).value;
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

describe('connection claims', () => {
  test('say who the user is; no sub is the anonymous user', () => {
    expect(connection({ sub: '42' })).toEqual({ user: '42', token: {} });
    expect(connection({})).toEqual({ user: '', token: {} });
    expect(connection({ sub: '' })).toEqual({ user: '', token: {} });
    expect(connection({ sub: null })).toEqual({ user: '', token: {} });
  });

  test('carry info and meta exactly as they were written', () => {
    const claims = `{"sub":"1","info":{"n":12345678901234567890, "f":1.0},"meta":[1e400]}`;
    const { info, meta } = connection(claims);
    expect(text(info)).toBe('{"n":12345678901234567890, "f":1.0}');
    expect(text(meta)).toBe('[1e400]');
  });

  test.each(['0', 'false', '""', '"text"', '[]', '{}'])('carry the info %s', (info) => {
    expect(text(connection(`{"info":${info}}`).info)).toBe(info);
  });

  test('carry info that is nested as deeply as a token can hold', () => {
    const info = '['.repeat(2900) + ']'.repeat(2900);
    expect(text(connection(`{"info":${info}}`).info)).toBe(info);
  });

  test('prefer b64info, standard base64 with padding, to info', () => {
    const bytes = Buffer.from([0, 255, 254]);
    const { info } = connection({ info: 1, b64info: bytes.toString('base64') });
    expect(info).toEqual(bytes);
    expect(text(connection({ info: 1, b64info: '' }).info)).toBe('1');
  });

  test('expire with exp; expire_at overrides it, 0 means never', () => {
    expect(connection({ exp: 2_000_000_000 }).expireAt).toBe(2_000_000_000);
    expect(connection({ exp: 2_000_000_000, expire_at: 5 }).expireAt).toBe(5);
    expect(connection({ exp: 2_000_000_000, expire_at: 0 })).not.toHaveProperty('expireAt');
    expect(connection({ exp: 2_000_000_000, expire_at: -1 })).not.toHaveProperty('expireAt');
    expect(connection({})).not.toHaveProperty('expireAt');
  });

  test('expire later by the leeway, so that what is still accepted is not already over', () => {
    const rules = { expLeewaySeconds: 30 };
    expect(connection({ exp: 1000 }, rules).expireAt).toBe(1030);
    expect(connection({ exp: 1000, expire_at: 1500 }, rules).expireAt).toBe(1500);
  });

  test('subscribe to channels, or to subs with everything a grant can have', () => {
    expect(connection({ channels: ['a', 'b'] }).subs).toEqual({ a: {}, b: {} });
    const { subs } = connection({
      channels: ['ignored'],
      subs: {
        plain: {},
        full: {
          info: { role: 'x' },
          data: { hello: 1 },
          override: {
            presence: { value: true },
            join_leave: { value: false },
            force_push_join_leave: { value: true },
            force_positioning: { value: true },
            // What encoding/json writes for a false value that is marked omitempty.
            force_recovery: {},
            unknown: { value: true },
          },
        },
        binary: { b64info: 'AP8=', b64data: 'AQ==' },
      },
    });
    expect(subs).toEqual({
      plain: {},
      full: {
        info: Buffer.from('{"role":"x"}'),
        data: Buffer.from('{"hello":1}'),
        overrides: {
          presence: true,
          joinLeave: false,
          forcePushJoinLeave: true,
          forcePositioning: true,
          forceRecovery: false,
        },
      },
      binary: { info: Buffer.from([0, 255]), data: Buffer.from([1]) },
    });
  });

  test('treat __proto__ and its like as ordinary names', () => {
    const { subs } = connection('{"subs":{"__proto__":{"data":1},"constructor":{}}}');
    expect(Object.keys(subs ?? {})).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(subs)).toBe(Object.prototype);
    expect(connection({}, { userIdClaim: '__proto__' }).user).toBe('');
    expect(connection({}, { userIdClaim: 'constructor' }).user).toBe('');
  });

  test('take the user from another claim, where a number counts too', () => {
    const rules = { userIdClaim: 'user_id' };
    expect(connection({ sub: 'x', user_id: 'u' }, rules).user).toBe('u');
    expect(connection({ sub: 'x', user_id: 7 }, rules).user).toBe('7');
    expect(connection({ sub: 'x' }, rules).user).toBe('');
    for (const wrong of [1.5, 2 ** 53, true, ['u'], { id: 'u' }]) {
      expect(parseConnectionClaims(jws({ user_id: wrong }), rules)).toMatchObject({
        reason: 'claims',
      });
    }
  });

  test('read registered claims; aud is a text or a list', () => {
    const claims = { iss: 'i', aud: 'a', exp: 10, nbf: 5, iat: 4, jti: 'j' };
    expect(accept(parseConnectionClaims(jws(claims))).registered).toEqual({
      issuer: 'i',
      audiences: ['a'],
      expiresAt: 10,
      notBefore: 5,
      identity: { id: 'j', issuedAt: 4 },
    });
    const list = accept(parseConnectionClaims(jws({ aud: ['a', 'b'] }))).registered;
    expect(list.audiences).toEqual(['a', 'b']);
  });

  test.each([
    { sub: 42 },
    { sub: ['42'] },
    { sub: { id: '42' } },
    { sub: true },
    { exp: '2000000000' },
    { exp: true },
    { exp: [1] },
    { exp: 1e300 },
    { exp: 2_000_000_000_000 },
    { nbf: 'now' },
    { iat: 'yesterday' },
    { iss: 1 },
    { aud: 1 },
    { aud: ['a', 1] },
    { aud: { a: 1 } },
    { jti: 5 },
    { expire_at: '1' },
    { b64info: 5 },
    { b64info: 'not base64!' },
    { b64info: 'AP8' },
    { b64info: 'AP9=' },
    { channels: 'news' },
    { channels: [1] },
    { channels: [''] },
    { channels: { a: {} } },
    { channels: ['\uD800'] },
    { subs: ['a'] },
    { subs: 'a' },
    { subs: { a: 1 } },
    { subs: { a: [] } },
    { subs: { '': {} } },
    { subs: { a: { b64data: '?' } } },
    { subs: { a: { override: [] } } },
    { subs: { a: { override: { presence: true } } } },
    { subs: { a: { override: { presence: { value: 'yes' } } } } },
    { channel: 5 },
  ])('of the wrong type are refused: %j', (claims) => {
    expect(parseConnectionClaims(jws(claims))).toMatchObject({ reason: 'claims' });
  });

  test('times may have fractions, as those of Python have', () => {
    expect(parseConnectionClaims(jws({ exp: 1_700_000_000.75 }))).toMatchObject({
      registered: { expiresAt: 1_700_000_000 },
    });
  });

  test('of infinite value are refused', () => {
    expect(parseConnectionClaims(jws('{"exp":1e400}'))).toMatchObject({ reason: 'claims' });
    expect(parseConnectionClaims(jws('{"nbf":-1e400}'))).toMatchObject({ reason: 'claims' });
  });

  test('with a lone surrogate are refused: in UTF-8 two users would become one', () => {
    expect(parseConnectionClaims(jws(String.raw`{"sub":"\ud800"}`))).toMatchObject({
      reason: 'claims',
    });
  });

  test('name the claim that is wrong, and milliseconds for what they are', () => {
    expect(parseConnectionClaims(jws({ subs: { a: { b64data: '?' } } }))).toMatchObject({
      detail: '"subs.a.b64data" must be standard base64 with padding, it is of type string',
    });
    expect(parseConnectionClaims(jws({ exp: 1_800_000_000_000 }))).toMatchObject({
      detail: '"exp" is beyond the year 9999; these look like milliseconds',
    });
  });

  test('with a channel belong to a subscription token', () => {
    expect(parseConnectionClaims(jws({ channel: 'news' }))).toMatchObject({ reason: 'wrong_kind' });
    expect(connection({ channel: '' })).toEqual({ user: '', token: {} });
  });
});

describe('subscription claims', () => {
  test('name user, channel and client, and make a grant', () => {
    const claims = {
      sub: '42',
      channel: '$news',
      client: 'c',
      info: { a: 1 },
      b64data: 'AQ==',
      exp: 2_000_000_000,
      override: { presence: { value: true } },
    };
    expect(subscription(claims)).toEqual({
      user: '42',
      channel: '$news',
      client: 'c',
      grant: {
        expireAt: 2_000_000_000,
        info: Buffer.from('{"a":1}'),
        data: Buffer.from([1]),
        overrides: { presence: true },
        token: {},
      },
    });
    expect(subscription({ channel: 'x' })).toEqual({
      user: '',
      channel: 'x',
      client: '',
      grant: { token: {} },
    });
  });

  test.each([{}, { channel: '' }, { channel: null }])('need a channel: %j', (claims) => {
    expect(parseSubscriptionClaims(jws(claims))).toMatchObject({ reason: 'wrong_kind' });
  });

  test.each([
    { channel: ['a'] },
    { channel: 1 },
    { channel: 'a', client: 1 },
    { channel: 'a', sub: 1 },
  ])('of the wrong type are refused: %j', (claims) => {
    expect(parseSubscriptionClaims(jws(claims))).toMatchObject({ reason: 'claims' });
  });
});

test('claims of any shape are read or refused, never thrown about', () => {
  const names = ['sub', 'exp', 'nbf', 'aud', 'info', 'b64info', 'subs', 'channels', 'channel'];
  const claims = fc.dictionary(fc.constantFrom(...names, 'x'), fc.jsonValue());
  fc.assert(
    fc.property(claims, (object) => {
      for (const parse of [parseConnectionClaims, parseSubscriptionClaims]) {
        const result = parse(jws(JSON.stringify(object, undefined, 2)));
        const outcome = result instanceof TokenRefusal ? result.reason : 'read';
        expect(['read', 'claims', 'wrong_kind']).toContain(outcome);
      }
    }),
  );
});
