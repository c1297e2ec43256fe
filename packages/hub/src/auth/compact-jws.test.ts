import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodePart, forgeToken } from '../testing/token-forge.ts';
import { parseCompactJws } from './compact-jws.ts';
import { TokenRefusal } from './token-refusal.ts';

const key = 'a secret of thirty-two bytes or so';
const maxBytes = 8192;

function reasonFor(token: string): string {
  const result = parseCompactJws(token, maxBytes);
  return result instanceof TokenRefusal ? result.reason : 'accepted';
}

function withHeader(header: object | string): string {
  return `${encodePart(header)}.${encodePart({})}.AAAA`;
}

describe('a compact JWS', () => {
  test('gives header and claims with their text', () => {
    const claims = '{"sub":"42", "n": 12345678901234567890}';
    const token = forgeToken({ claims, key, header: { kid: 'k1' } });
    expect(parseCompactJws(token, maxBytes)).toEqual({
      header: { alg: 'HS256', kid: 'k1' },
      claims: { sub: '42', n: Number('12345678901234567890') },
      claimsText: claims,
    });
  });

  test.each([
    ['empty', ''],
    ['one part', 'eyJ9'],
    ['two parts', `${encodePart({ alg: 'HS256' })}.${encodePart({})}`],
    ['four parts', `${forgeToken({ key })}.AAAA`],
    ['an empty signature', `${encodePart({ alg: 'HS256' })}.${encodePart({})}.`],
    ['trailing line break', `${forgeToken({ key })}\n`],
    ['trailing space', `${forgeToken({ key })} `],
    ['leading space', ` ${forgeToken({ key })}`],
    ['padding', `${forgeToken({ key })}=`],
    ['standard base64 alphabet', `${encodePart({ alg: 'HS256' })}.${encodePart({})}.+/+/`],
    ['a part of impossible length', `${encodePart({ alg: 'HS256' })}.${encodePart({})}.AAAAA`],
    ['a NUL', `${forgeToken({ key })}\0`],
    ['a header that is not JSON', withHeader('not json')],
    ['a header that is a list', withHeader('["HS256"]')],
    ['a header that is null', withHeader('null')],
    ['JSON serialization', JSON.stringify({ payload: 'e30', signature: 'AAAA' })],
    ['claims that are text', `${encodePart({ alg: 'HS256' })}.${encodePart('"sub"')}.AAAA`],
    ['claims that are cut', `${encodePart({ alg: 'HS256' })}.${encodePart('{"sub":')}.AAAA`],
    ['a kid that is a list', withHeader({ alg: 'HS256', kid: ['a'] })],
    ['a kid that is a number', withHeader({ alg: 'HS256', kid: 1 })],
    ['a kid of 5,000 characters', withHeader({ alg: 'HS256', kid: 'k'.repeat(5000) })],
  ])('is malformed with %s', (_, token) => {
    expect(reasonFor(token)).toBe('malformed');
  });

  test('must be UTF-8 in header and claims', () => {
    const invalid = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url');
    expect(reasonFor(`${invalid}.${encodePart({})}.AAAA`)).toBe('malformed');
    expect(reasonFor(`${encodePart({ alg: 'HS256' })}.${invalid}.AAAA`)).toBe('malformed');
  });

  test('has one spelling: the unused bits of each part are zero', () => {
    // "{}" is 2 bytes, so its third character has two unused bits: e30, e31, e32 and e33 decode alike.
    const header = encodePart({ alg: 'HS256' });
    expect(reasonFor(`${header}.e30.AAAA`)).toBe('accepted');
    for (const spelling of ['e31', 'e32', 'e33']) {
      expect(Buffer.from(spelling, 'base64url').toString()).toBe('{}');
      expect(reasonFor(`${header}.${spelling}.AAAA`)).toBe('malformed');
    }
    expect(reasonFor(`${header}.e30.AB`)).toBe('malformed');
    expect(reasonFor(`${header}.e30.AA`)).toBe('accepted');
  });

  test.each(['none', 'None', 'NONE', 'nOnE', '', 'hs256', 'HS1', 'PS256', 'dir', '__proto__'])(
    'is refused with the algorithm %j',
    (alg) => {
      expect(reasonFor(withHeader({ alg }))).toBe('algorithm');
    },
  );

  test.each([[['HS256']], [256], [null], [{ alg: 'HS256' }]])(
    'is refused with the algorithm %j, which is no string',
    (alg) => {
      expect(reasonFor(withHeader({ alg }))).toBe('algorithm');
    },
  );

  test('is refused without an algorithm', () => {
    expect(reasonFor(withHeader({ typ: 'JWT' }))).toBe('algorithm');
  });

  test.each([[['exp']], [[]], [['b64']], ['exp'], [null]])('is refused with crit %j', (crit) => {
    expect(reasonFor(withHeader({ alg: 'HS256', crit, b64: false }))).toBe('critical_header');
  });

  test('is refused beyond the size limit before anything is decoded', () => {
    const token = forgeToken({ key, claims: { info: 'x'.repeat(8192) } });
    expect(reasonFor(token)).toBe('too_long');
    expect(reasonFor('.'.repeat(1_000_000))).toBe('too_long');
  });

  test('takes the last of duplicate members, like every reader after it', () => {
    const token = `${encodePart('{"alg":"none","alg":"HS256"}')}.${encodePart('{"sub":"a","sub":"b"}')}.AAAA`;
    expect(parseCompactJws(token, maxBytes)).toMatchObject({
      header: { alg: 'HS256' },
      claims: { sub: 'b' },
    });
  });

  test('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json().map(withHeader)), (token) => {
        for (const text of [token, `${token}.${token}.${token}`]) {
          expect(parseCompactJws(text, maxBytes)).toBeTypeOf('object');
        }
      }),
    );
  });

  test('says what it found without repeating long or dangerous text', () => {
    const result = parseCompactJws(withHeader({ alg: `x\n${'y'.repeat(1000)}` }), maxBytes);
    expect(result).toBeInstanceOf(TokenRefusal);
    const { detail } = result as TokenRefusal;
    expect(detail).not.toContain('\n');
    expect(detail.length).toBeLessThan(200);
  });
});
