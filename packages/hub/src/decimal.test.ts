import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareDecimals, parseDecimal } from './decimal.ts';

const digits = fc.string({
  unit: fc.constantFrom('0', '1', '5', '9'),
  minLength: 1,
  maxLength: 25,
});
const decimals = fc
  .record({ sign: fc.constantFrom('', '-', '+'), whole: digits, part: fc.option(digits) })
  .map(({ sign, whole, part }) => ({ sign, whole, part: part ?? '' }));

/** The same number times 10 to the 25th, which has no fraction. */
function scaled({ sign, whole, part }: { sign: string; whole: string; part: string }): bigint {
  const magnitude = BigInt(whole + part.padEnd(25, '0'));
  return sign === '-' ? -magnitude : magnitude;
}

test('compares as integers of any size do', () => {
  fc.assert(
    fc.property(decimals, decimals, (a, b) => {
      const [first, second] = [a, b].map(({ sign, whole, part }) =>
        parseDecimal(sign + whole + (part === '' ? '' : `.${part}`)),
      );
      const difference = scaled(a) - scaled(b);
      const expected = difference === 0n ? 0 : difference < 0n ? -1 : 1;
      expect(Math.sign(compareDecimals(first!, second!)) + 0).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['0', '-0'],
  ['0', '+0.000'],
  ['007', '7.0'],
  ['-0.50', '-0.5'],
  ['9007199254740993', '9007199254740993.000'],
])('%s equals %s', (a, b) => {
  expect(compareDecimals(parseDecimal(a)!, parseDecimal(b)!) + 0).toBe(0);
});

test.each([
  '',
  ' ',
  '+',
  '-',
  '.',
  '1.',
  '.5',
  '1e5',
  '0x10',
  'Infinity',
  'NaN',
  '1,5',
  '--1',
  ' 1',
  '1 ',
  '1\n',
  '١',
  '1.2.3',
  '1_000',
  `${'0'.repeat(100_000)}x`,
])('%j is no number', (text) => {
  expect(parseDecimal(text)).toBeUndefined();
  expect(parseDecimal(text)).toBeUndefined();
});

test('the memory of what was parsed changes no answer', () => {
  for (let round = 0; round < 2; round += 1) {
    for (let value = 0; value < 1000; value += 1) {
      expect(parseDecimal(`${value}.5`)?.integer).toBe(value === 0 ? '' : `${value}`);
    }
  }
});
