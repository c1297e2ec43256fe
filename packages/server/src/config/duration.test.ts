import { assert, integer, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Duration } from './duration.ts';

describe('durations', () => {
  test.each([
    ['300s', 300_000],
    ['1m30s', 90_000],
    ['720h', 2_592_000_000],
    ['1000ms', 1_000],
    ['1.5s', 1_500],
    ['0.001s', 1],
    ['1.001s', 1_001],
    ['2h45m', 9_900_000],
    ['0', 0],
    ['0s', 0],
    ['-1', -1],
    ['-5s', -5_000],
  ])('%s is %i ms', (text, ms) => {
    expect(Duration.parse(text)?.ms).toBe(ms);
  });

  test.each([
    '',
    '25',
    '5',
    's',
    '1d',
    '1 s',
    '500us',
    '0.5ms',
    '1s2',
    'five',
    '1e3s',
    '--1s',
    '9007199254740993h',
  ])('%o is not a duration', (text) => {
    expect(Duration.parse(text)).toBeUndefined();
  });

  test('what is printed is read as the same duration', () => {
    assert(
      property(integer({ min: -1e12, max: 1e12 }), (ms) => {
        const text = new Duration(ms).toString();
        expect(Duration.parse(text)?.ms).toBe(ms);
      }),
    );
  });

  test.each([
    [90_000, '90s'],
    [300_000, '5m'],
    [2_592_000_000, '720h'],
    [200, '200ms'],
    [0, '0s'],
  ])('%i ms is printed as %s', (ms, text) => {
    expect(JSON.stringify(new Duration(ms))).toBe(`"${text}"`);
  });
});
