import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonElements, jsonMembers } from './json-text.ts';

/** JSON texts as people write them: with spaces, line breaks and numbers beyond 2^53. */
const jsonText = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, indent]) => JSON.stringify(value, undefined, indent));

describe('cutting JSON apart', () => {
  test('the members are exactly the texts that were written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), jsonText), (members) => {
        const text = ` { ${Object.entries(members)
          .map(([name, member]) => `${JSON.stringify(name)} :\n${member}`)
          .join(' , ')}\t}`;
        expect([...(jsonMembers(text) ?? [])]).toEqual(Object.entries(members));
      }),
    );
  });

  test('the elements are exactly the texts that were written', () => {
    fc.assert(
      fc.property(fc.array(jsonText), (elements) => {
        expect(jsonElements(`[${elements.join(' , ')} ]`)).toEqual(elements);
      }),
    );
  });

  test('a name that stands twice has its last value', () => {
    expect(jsonMembers('{"a":1,"a":{"b":2}}')?.get('a')).toBe('{"b":2}');
  });

  test('names like __proto__ are names like all others', () => {
    expect([...(jsonMembers('{"__proto__":{"admin":true}}') ?? [])]).toEqual([
      ['__proto__', '{"admin":true}'],
    ]);
  });

  test('brackets and quotes inside strings do not count', () => {
    const member = String.raw`{"x":"}]\"\\"}`;
    expect(jsonMembers(`{"a":${member},"b":-1.5e3}`)).toEqual(
      new Map([
        ['a', member],
        ['b', '-1.5e3'],
      ]),
    );
  });

  test('what is no object has no members, what is no array no elements', () => {
    for (const text of ['[]', '"{}"', '1', 'null', 'true']) {
      expect(jsonMembers(text)).toBeUndefined();
    }
    for (const text of ['{}', '"[]"', '1', 'null']) expect(jsonElements(text)).toBeUndefined();
  });

  test('half a million brackets cost no stack', () => {
    const deep = '['.repeat(500_000) + ']'.repeat(500_000);
    expect(jsonMembers(`{"data":${deep}}`)?.get('data')).toBe(deep);
  });
});
