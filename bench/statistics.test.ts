import { describe, expect, test } from 'vitest';
import { median, percentile, ratioPerRound, spreadOf } from './statistics.ts';

describe('statistics', () => {
  test('a percentile is a sample, by nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(samples, 0.5)).toBe(50);
    expect(percentile(samples, 0.99)).toBe(99);
    expect(percentile(samples, 1)).toBe(100);
    expect(percentile(samples, 0)).toBe(1);
    expect(percentile([], 0.5)).toBeNaN();
  });

  test('the median of an even number lies between the two middle samples', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  test('ratios pair rounds, so that a slow round cancels out', () => {
    expect(ratioPerRound([10, 40], [5, 20])).toEqual([2, 2]);
    expect(() => ratioPerRound([1], [1, 2])).toThrow('rounds must pair');
  });

  test('a spread names the middle and both ends', () => {
    expect(spreadOf([5, 1, 9])).toEqual({ median: 5, min: 1, max: 9 });
  });
});
