import { expect, test } from 'vitest';
import { IdempotencyCache } from './idempotency-cache.ts';

function remember(cache: IdempotencyCache<string>, idempotencyKey: string, now = 0): void {
  cache.remember('x', { idempotencyKey, idempotencyTtlMs: 10 }, { result: idempotencyKey, now });
}

test('a result is there until its TTL is over, swept or not', () => {
  const cache = new IdempotencyCache<string>(10);
  remember(cache, 'a');
  expect(cache.get('x', { idempotencyKey: 'a' }, 9)).toBe('a');
  expect(cache.get('x', { idempotencyKey: 'a' }, 10)).toBeUndefined();
  expect(cache.size).toBe(1);
  cache.sweep(9);
  expect(cache.size).toBe(1);
  cache.sweep(10);
  expect(cache.size).toBe(0);
});

test('without a key there is nothing to remember', () => {
  const cache = new IdempotencyCache<string>(10);
  cache.remember('x', {}, { result: 'a', now: 0 });
  expect(cache.size).toBe(0);
  expect(cache.get('x', {}, 0)).toBeUndefined();
});

test('the oldest go first; only those that were still good count as evicted', () => {
  const cache = new IdempotencyCache<string>(2);
  for (const key of ['a', 'b', 'c']) remember(cache, key);
  expect(['a', 'b', 'c'].map((key) => cache.get('x', { idempotencyKey: key }, 1))).toEqual([
    undefined,
    'b',
    'c',
  ]);
  expect(cache.evicted).toBe(1);
  remember(cache, 'd', 20);
  expect([cache.size, cache.evicted]).toEqual([2, 1]);
});
