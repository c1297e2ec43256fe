import { expect, test } from 'vitest';
import { checkContent } from './notification.ts';

const titled = (title: string): string => checkContent({ category: 'a', title }).title;

test.each([
  ['space, tab, line', ' \t\n'],
  ['no-break and ideographic space', '\u00a0\u3000'],
  ['zero width space, joiner, word joiner', '\u200b\u200d\u2060'],
  ['Braille without dots', '\u2800\u2800'],
  ['Hangul fillers', '\u115f\u1160\u3164\uffa0'],
  ['variation selectors', '\ufe0f\u{e0100}'],
  ['grapheme joiner, soft hyphen, byte order mark', '\u034f\u00ad\ufeff'],
  ['tags', '\u{e0041}\u{e007f}'],
  ['some of each', ' \u200b\u2800\u3164\ufe0f'],
])('a title of nothing but %s is refused as blank', (_what, title) => {
  expect(() => titled(title)).toThrow(
    expect.objectContaining({ code: 'inbox_invalid', message: 'title must not be blank' }),
  );
});

test.each([
  '.',
  '0',
  '\u2764\ufe0f',
  '\u2801',
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  ' \u3131',
  '\u200fو',
])('a title that can be seen is taken as it is: %s', (title) => expect(titled(title)).toBe(title));
