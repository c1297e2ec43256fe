import { expect, test } from 'vitest';
import { quietMsOf } from './quiet.ts';

test.each([
  ['', 0],
  ['holdfast_quiet=70', 70_000],
  ['holdfast_quiet=3600', 3_600_000],
  ['holdfast_quiet=3601', 0],
  ['holdfast_quiet=-1', 0],
  ['holdfast_quiet=1e9', 0],
  ['holdfast_quiet=1.5', 0],
  ['holdfast_quiet=NaN', 0],
  ['holdfast_quiet=', 0],
])('%s: %i ms', (query, expected) => {
  expect(quietMsOf(new URLSearchParams(query))).toBe(expected);
});
