import { array, assert, dictionary, jsonValue, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

/** The same value, with the members of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).toReversed();
  return Object.fromEntries(members.map(([name, member]) => [name, reversed(member)]));
}

test('the order of members makes no difference, at any depth', () => {
  const values = array(dictionary(string(), jsonValue({ maxDepth: 4 })));
  assert(
    property(values, (value) => {
      const json = JSON.stringify(value);
      const canonical = canonicalJson(json);
      expect(canonicalJson(JSON.stringify(reversed(value)))).toBe(canonical);
      expect(JSON.parse(canonical)).toEqual(JSON.parse(json));
    }),
  );
});

test('everything else does', () => {
  const different = ['{"a":1,"b":2}', '{"a":2,"b":1}', '{"a":1}', '[1,2]', '[2,1]', '"a"', 'null'];
  expect(new Set(different.map(canonicalJson)).size).toBe(different.length);
  expect(canonicalJson('{"__proto__":1}')).toBe('{"__proto__":1}');
});

test('what is nested more deeply than anybody can read is compared as it is', () => {
  const deep = `${'{"b":1,"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
  expect(canonicalJson(deep)).toBe(deep);
});
