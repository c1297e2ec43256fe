import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseJwks } from './jwks-document.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaJwk = rsa.publicKey.export({ format: 'jwk' });
const ecJwk = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({
  format: 'jwk',
});
const edJwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });

function algorithmsOf(...members: readonly unknown[]): object {
  const keys = parseJwks(JSON.stringify({ keys: members }));
  if (typeof keys === 'string') return { problem: keys };
  return Object.fromEntries(
    Array.from(keys, ([kid, list]) => [kid, list.map((key) => key.algorithms.join(' '))]),
  );
}

describe('a key set', () => {
  test('gives keys by kid, each with the algorithms of its type', () => {
    expect(
      algorithmsOf(
        { ...rsaJwk, kid: 'r' },
        { ...rsaJwk, kid: 'r256', alg: 'RS256', use: 'sig', key_ops: ['verify'] },
        { ...ecJwk, kid: 'e' },
        { ...edJwk, kid: 'o' },
        { ...edJwk, kid: 'r' },
      ),
    ).toEqual({
      r: ['RS256 RS384 RS512', 'EdDSA Ed25519'],
      r256: ['RS256'],
      e: ['ES384'],
      o: ['EdDSA Ed25519'],
    });
  });

  test.each([
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', kid: 'k', alg: 'HS256' }],
    ['an RSA key for HS256', { ...rsaJwk, kid: 'k', alg: 'HS256' }],
    ['an encryption key', { ...rsaJwk, kid: 'k', use: 'enc' }],
    ['a key for other operations', { ...rsaJwk, kid: 'k', key_ops: ['encrypt'] }],
    ['a private key', { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'k' }],
    ['a key without kid', rsaJwk],
    ['a kid that is a number', { ...rsaJwk, kid: 7 }],
    ['an unknown curve', { ...ecJwk, kid: 'k', crv: 'secp256k1' }],
    ['a curve called __proto__', { ...ecJwk, kid: 'k', crv: '__proto__' }],
    ['a type that does not fit its curve', { ...edJwk, kid: 'k', kty: 'EC', y: 'AA' }],
    ['X25519', { kty: 'OKP', crv: 'X25519', x: 'AA', kid: 'k' }],
    ['no key', null],
    ['a list', []],
  ])('leaves out %s', (_, member) => {
    expect(algorithmsOf({ ...edJwk, kid: 'good' }, member)).toEqual({
      good: ['EdDSA Ed25519'],
    });
  });

  test.each([
    ['', /not JSON/],
    ['<html>', /not JSON/],
    ['null', /not a key set/],
    ['[]', /not a key set/],
    ['{"keys":{}}', /not a key set/],
    ['{"error":"no"}', /not a key set/],
    ['{"keys":[]}', /without a usable/],
    ['{"keys":[{"kty":"oct","k":"AA","kid":"k"}]}', /without a usable/],
  ])('is none in %j', (text, problem) => {
    expect(parseJwks(text)).toMatch(problem);
  });

  test('is read up to a number of keys', () => {
    const members = Array.from({ length: 1000 }, (_, index) => ({ ...edJwk, kid: `k${index}` }));
    expect(Object.keys(algorithmsOf(...members))).toHaveLength(256);
  });

  test('imports a key once', async () => {
    const keys = parseJwks(JSON.stringify({ keys: [{ ...rsaJwk, kid: 'r' }] }));
    const key = typeof keys === 'string' ? undefined : keys.get('r')?.[0];
    expect(key?.import('RS256')).toBe(key?.import('RS256'));
    expect(await key?.import('RS256')).not.toBe(await key?.import('RS512'));
  });

  test('does not import numbers that are no key, or RSA keys that are too short', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const keys = parseJwks(
      JSON.stringify({
        keys: [
          { ...short.export({ format: 'jwk' }), kid: 'short' },
          { ...ecJwk, x: 'AAAA', kid: 'off the curve' },
        ],
      }),
    );
    const imports = typeof keys === 'string' ? [] : Array.from(keys.values(), ([key]) => key);
    await expect(imports[0]?.import('RS256')).rejects.toThrow(/1024 bits/);
    await expect(imports[1]?.import('ES384')).rejects.toThrow(/./);
  });
});
