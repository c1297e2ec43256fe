import { array, assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { createRate, TokenBucket } from './token-bucket.ts';

const perSecond = integer({ min: 1, max: 10_000 });
const burst = integer({ min: 1, max: 1_000 });
const pauses = array(integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 300 });

test('no limit is no rate', () => {
  expect(createRate(0, 10)).toBeUndefined();
});

test('exactly the burst passes at once', () => {
  assert(
    property(perSecond, burst, (speed, size) => {
      const rate = createRate(speed, size);
      if (rate === undefined) throw new Error('unreachable');
      const bucket = new TokenBucket();
      for (let taken = 0; taken < size; taken += 1) expect(bucket.take(rate, 0)).toBe(true);
      expect(bucket.take(rate, 0)).toBe(false);
    }),
  );
});

test('in no stretch of time more passes than burst and rate allow', () => {
  assert(
    property(perSecond, burst, pauses, (speed, size, waits) => {
      const rate = createRate(speed, size);
      if (rate === undefined) throw new Error('unreachable');
      const bucket = new TokenBucket();
      const passed: number[] = [];
      let now = 0;
      for (const wait of waits) {
        now += wait;
        if (bucket.take(rate, now)) passed.push(now);
      }
      passed.forEach((since, index) => {
        const inStretch = passed.length - index;
        const allowed = size + 1 + (((passed.at(-1) ?? 0) - since) * speed) / 1000;
        expect(inStretch).toBeLessThanOrEqual(allowed);
      });
    }),
  );
});

test('refusals cost nothing, and a full bucket is as good as new', () => {
  const rate = createRate(10, 2);
  if (rate === undefined) throw new Error('unreachable');
  const bucket = new TokenBucket();
  expect(bucket.isFull(0)).toBe(true);
  expect([bucket.take(rate, 0), bucket.take(rate, 0)]).toEqual([true, true]);
  for (let attempt = 0; attempt < 100; attempt += 1) expect(bucket.take(rate, 0)).toBe(false);
  expect(bucket.take(rate, 100)).toBe(true);
  expect(bucket.isFull(299)).toBe(false);
  expect(bucket.isFull(300)).toBe(true);
});

test('a token can be taken after the wait that the bucket says, and not before', () => {
  assert(
    property(perSecond, burst, integer({ min: 0, max: 500 }), (speed, size, later) => {
      const rate = createRate(speed, size);
      if (rate === undefined) throw new Error('unreachable');
      const bucket = new TokenBucket();
      expect(bucket.waitMs(rate, 0)).toBe(0);
      while (bucket.take(rate, 0));
      while (bucket.take(rate, later));
      const wait = bucket.waitMs(rate, later);
      expect(wait).toBeGreaterThan(0);
      expect(bucket.take(rate, later + wait * 0.99)).toBe(false);
      expect(bucket.take(rate, later + wait * 1.01)).toBe(true);
    }),
  );
});
