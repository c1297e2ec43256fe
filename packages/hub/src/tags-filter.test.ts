import type { FilterNode } from '@holdfast/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileTagsFilter, maxFilterDepth, type TagsPredicate } from './tags-filter.ts';

type Tags = Readonly<Record<string, string>>;

function compiled(node: FilterNode): TagsPredicate {
  const result = compileTagsFilter(node);
  if (result.problem !== undefined) throw new Error(result.problem);
  return result.matches;
}

function problemOf(node: FilterNode): string {
  return compileTagsFilter(node).problem ?? 'none';
}

/** The specification read aloud; numbers are small integers here, so that doubles are exact. */
function naive(
  { op = '', nodes = [], key = '', cmp, val = '', vals = [] }: FilterNode,
  tags: Tags,
): boolean {
  if (op === 'and') return nodes.reduce((all, node) => all && naive(node, tags), true);
  if (op === 'or') return nodes.reduce((any, node) => any || naive(node, tags), false);
  if (op === 'not') return !naive(nodes[0]!, tags);
  const isThere = Object.hasOwn(tags, key);
  const value = isThere ? tags[key]! : '';
  const areNumbers = isThere && /^-?\d+$/.test(value) && /^-?\d+$/.test(val);
  const [number, wanted] = [Number(value), Number(val)];
  const results: Readonly<Record<string, boolean>> = {
    eq: isThere && value === val,
    neq: !isThere || value !== val,
    in: isThere && vals.includes(value),
    nin: !isThere || !vals.includes(value),
    ex: isThere,
    nex: !isThere,
    sw: isThere && value.indexOf(val) === 0,
    ew: isThere && value.slice(-val.length) === val,
    ct: isThere && value.split(val).length > 1,
    lt: areNumbers && number < wanted,
    lte: areNumbers && number <= wanted,
    gt: areNumbers && number > wanted,
    gte: areNumbers && number >= wanted,
  };
  return results[cmp ?? ''] ?? false;
}

const keys = fc.constantFrom('a', 'b', 'constructor', '__proto__', 'toString');
const values = fc.constantFrom('1', '2', '10', '-1', '01', 'x', 'xy', 'yx', 'abc', 'undefined');
const tags = fc.dictionary(keys, values, { maxKeys: 4, noNullPrototype: true });
const leaf = fc.oneof(
  fc.record({
    key: keys,
    cmp: fc.constantFrom('eq', 'neq', 'sw', 'ew', 'ct', 'lt', 'lte', 'gt', 'gte'),
    val: values,
  }),
  fc.record({
    key: keys,
    cmp: fc.constantFrom('in', 'nin'),
    vals: fc.array(values, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: keys, cmp: fc.constantFrom('ex', 'nex') }),
);
const { node: nodes } = fc.letrec<{ node: FilterNode }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({
      op: fc.constantFrom('and', 'or'),
      nodes: fc.array(tie('node'), { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ op: fc.constant('not'), nodes: fc.tuple(tie('node')) }),
  ),
}));

test('a filter does what the specification says', () => {
  let passed = 0;
  fc.assert(
    fc.property(nodes, tags, (node, tags) => {
      const passes = compiled(node)(tags);
      if (passes) passed += 1;
      expect(passes).toBe(naive(node, tags));
    }),
    { numRuns: 2000 },
  );
  expect(passed).toBeGreaterThan(200);
  expect(passed).toBeLessThan(1800);
});

test.each([
  ['neq', true],
  ['nin', true],
  ['nex', true],
  ['eq', false],
  ['in', false],
  ['ex', false],
  ['sw', false],
  ['ew', false],
  ['ct', false],
  ['lt', false],
  ['lte', false],
  ['gt', false],
  ['gte', false],
])('without any tags %s passes: %s', (cmp, passes) => {
  const value = ['in', 'nin'].includes(cmp) ? { vals: ['1'] } : { val: '1' };
  const node = { key: 'constructor', cmp, ...(cmp.endsWith('ex') ? {} : value) };
  expect(compiled(node)(undefined)).toBe(passes);
  expect(compiled(node)({})).toBe(passes);
});

test('numbers compare exactly, however long', () => {
  const above = compiled({ key: 'id', cmp: 'gt', val: '9007199254740992.0000000000000001' });
  expect(above({ id: '9007199254740992.00000000000000010' })).toBe(false);
  expect(above({ id: '9007199254740993' })).toBe(true);
  expect(above({ id: '9007199254740992' })).toBe(false);
  expect(above({ id: '1e300' })).toBe(false);
  const beyond = compiled({ key: 'id', cmp: 'lte', val: 'many' });
  expect(beyond({ id: '1' })).toBe(false);
  expect(beyond({ id: 'many' })).toBe(false);
});

describe('a filter that is not valid is refused with the reason', () => {
  const leafNode = { key: 'a', cmp: 'eq', val: 'x' };
  test.each<readonly [string, FilterNode]>([
    ['a leaf needs cmp', {}],
    ['a leaf needs cmp', { op: '', key: 'a', val: 'x' }],
    ['"eq" needs a key', { cmp: 'eq', val: 'x' }],
    ['"ex" needs a key', { cmp: 'ex' }],
    ['"eq" needs a val that is not empty', { key: 'a', cmp: 'eq' }],
    ['"lt" needs a val that is not empty', { key: 'a', cmp: 'lt', val: '' }],
    ['"eq" takes val, not vals', { key: 'a', cmp: 'eq', val: 'x', vals: ['y'] }],
    ['"in" needs vals', { key: 'a', cmp: 'in' }],
    ['"nin" needs vals', { key: 'a', cmp: 'nin', vals: [] }],
    ['"in" takes vals, not val', { key: 'a', cmp: 'in', val: 'x', vals: ['x'] }],
    ['"ex" takes no val or vals', { key: 'a', cmp: 'ex', val: 'x' }],
    ['"nex" takes no val or vals', { key: 'a', cmp: 'nex', vals: ['x'] }],
    ['unknown cmp "=="', { key: 'a', cmp: '==', val: 'x' }],
    ['unknown cmp "xxxxxxxxxxxxxxxxxxxx…"', { key: 'a', cmp: 'x'.repeat(1000), val: 'x' }],
    ['unknown op "xor"', { op: 'xor', nodes: [leafNode, leafNode] }],
    ['"and" needs at least one node', { op: 'and' }],
    ['"or" needs at least one node', { op: 'or', nodes: [] }],
    ['"not" needs exactly one node', { op: 'not', nodes: [leafNode, leafNode] }],
    ['"not" needs exactly one node', { op: 'not' }],
    ['takes nodes only', { op: 'and', nodes: [leafNode], key: 'a' }],
    ['needs an op', { ...leafNode, nodes: [leafNode] }],
    ['"or" needs at least one node', { op: 'not', nodes: [{ op: 'and', nodes: [{ op: 'or' }] }] }],
  ])('%s', (problem, node) => {
    expect(problemOf(node)).toContain(problem);
  });

  test('more nodes than allowed', () => {
    const wide = (count: number): FilterNode => ({
      op: 'or',
      nodes: Array.from({ length: count }, () => leafNode),
    });
    expect(problemOf(wide(63))).toBe('none');
    expect(problemOf(wide(64))).toContain('at most 64 nodes');
    expect(problemOf(wide(1_000_000))).toContain('at most 64 nodes');
  });

  test('deeper than allowed', () => {
    const deep = (levels: number): FilterNode =>
      levels === 1 ? leafNode : { op: 'not', nodes: [deep(levels - 1)] };
    expect(problemOf(deep(maxFilterDepth))).toBe('none');
    expect(problemOf(deep(maxFilterDepth + 1))).toContain('at most 8 levels');
    expect(problemOf(deep(1000))).toContain('at most 8 levels');
  });
});
