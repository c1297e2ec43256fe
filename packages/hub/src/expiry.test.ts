import { expect, test } from 'vitest';
import { expiryMembers } from './expiry.ts';

test.each([
  [0, {}],
  [1_000, { expires: true, ttl: 1 }],
  [1_000.001, { expires: true, ttl: 1 }],
  [999, { expires: true, ttl: 1 }],
  [1_060, { expires: true, ttl: 60 }],
  [1_060.5, { expires: true, ttl: 61 }],
  [9_999_999_999, { expires: true, ttl: 4_294_967_295 }],
])('an expiry at %d seen at 1000 is told as %j', (expireAt, members) => {
  expect(expiryMembers(expireAt, 1_000_000)).toEqual(members);
});
