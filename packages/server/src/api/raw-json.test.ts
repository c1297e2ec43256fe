import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeUtf8, isJson, jsonBytes, stringifyWithRaw } from './raw-json.ts';

describe('putting JSON together', () => {
  test('bytes are pasted as text, numbers keep every digit', () => {
    const data = jsonBytes('{"n":12345678901234567890,"x":1.10}');
    expect(stringifyWithRaw({ result: { data, list: [data, null], none: undefined } })).toBe(
      '{"result":{"data":{"n":12345678901234567890,"x":1.10},"list":[{"n":12345678901234567890,"x":1.10},null]}}',
    );
  });

  test('without bytes it writes what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(stringifyWithRaw(value as never)).toBe(JSON.stringify(value));
      }),
    );
  });

  test('a map becomes an object, whatever its keys', () => {
    const map = new Map<string, number>([
      ['__proto__', 1],
      ['a"b', 2],
    ]);
    expect(stringifyWithRaw(map)).toBe('{"__proto__":1,"a\\"b":2}');
  });

  test('line breaks between tokens vanish, so that replies can be separated by them', () => {
    expect(stringifyWithRaw({ data: jsonBytes('{\r\n "a": "x\\ny"\n}') })).toBe(
      '{"data":{  "a": "x\\ny" }}',
    );
  });
});

test('text that is not UTF-8 or not JSON is recognised', () => {
  expect(decodeUtf8(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
  expect(decodeUtf8(Uint8Array.of(0x7b, 0x7d))).toBe('{}');
  expect(isJson('{}')).toBe(true);
  for (const text of ['', '{', '{}{}', "{'a':1}", 'NaN']) expect(isJson(text)).toBe(false);
});
