import { expect, test } from 'vitest';
import { compileChannelPattern } from './channel-pattern.ts';

test.each([
  ['news:today', '*', true],
  ['news:today', '', true],
  ['news:today', 'news:*', true],
  ['news:today:late', 'news:*', false],
  ['news:today:late', 'news:**', true],
  ['a.b.c', 'a.*.c', true],
  ['a.b.b.c', 'a.*.c', false],
  ['room1', 'room?', true],
  ['room12', 'room?', false],
  ['a+b(c)', 'a+b(c)', true],
  ['aab(c)', 'a+b(c)', false],
])('%s against %s: %s', (channel, pattern, matches) => {
  expect(compileChannelPattern(pattern)(channel)).toBe(matches);
});
