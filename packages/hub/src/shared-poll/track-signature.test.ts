import { describe, expect, test } from 'vitest';
import { checkSignature, signTrackedKeys } from './track-signature.ts';

const signed = { user: 'ann', channel: 'poll:a', keys: ['x', 'y'] };
const times = { issuedAt: 1_000, expireAt: 1_100 };
const signature = signTrackedKeys('secret', signed, times);
const secrets = { hmacSecretKey: 'secret' };

describe('signatures of tracked keys', () => {
  test('a genuine one is valid until it expires, and five seconds more', () => {
    expect(checkSignature(signature, signed, { secrets, now: 1_100 })).toEqual({
      status: 'valid',
      expireAt: 1_100,
    });
    expect(checkSignature(signature, signed, { secrets, now: 1_105 }).status).toBe('valid');
    expect(checkSignature(signature, signed, { secrets, now: 1_106 }).status).toBe('expired');
  });

  test.each([
    ['another user', { ...signed, user: 'bob' }],
    ['another channel', { ...signed, channel: 'poll:b' }],
    ['other keys', { ...signed, keys: ['x', 'z'] }],
    ['keys in another order', { ...signed, keys: ['y', 'x'] }],
    ['fields that moved', { ...signed, user: 'ann\0poll:a', channel: '' }],
  ])('does not hold for %s', (_, other) => {
    expect(checkSignature(signature, other, { secrets, now: 1_000 }).status).toBe('invalid');
  });

  test.each([
    ['empty', ''],
    ['with other times', signature.replace('1100', '9999')],
    ['cut off', signature.slice(0, -1)],
    ['with more behind it', `${signature}0`],
    ['in capitals', signature.toUpperCase()],
  ])('one that is %s is invalid', (_, text) => {
    expect(checkSignature(text, signed, { secrets, now: 1_000 }).status).toBe('invalid');
  });

  test('the previous secret counts until its time is over', () => {
    const rotated = {
      hmacSecretKey: 'new',
      hmacPreviousSecretKey: 'secret',
      hmacPreviousSecretKeyValidUntil: 1_050,
    };
    expect(checkSignature(signature, signed, { secrets: rotated, now: 1_049 }).status).toBe(
      'valid',
    );
    expect(checkSignature(signature, signed, { secrets: rotated, now: 1_050 }).status).toBe(
      'invalid',
    );
  });

  test('an empty secret signs nothing', () => {
    const forged = signTrackedKeys('', signed, times);
    const nothing = { hmacSecretKey: '' };
    expect(checkSignature(forged, signed, { secrets: nothing, now: 1_000 }).status).toBe('invalid');
  });
});
