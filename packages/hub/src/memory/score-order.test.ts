import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ScoreOrder, type Ranked } from './score-order.ts';

function compare(a: Ranked, b: Ranked): number {
  return b.score - a.score || (a.key < b.key ? -1 : Number(a.key > b.key));
}

const ranked = fc.record({
  score: fc.integer({ min: -2, max: 2 }),
  key: fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 3 }),
});

test('equals a sorted array, whatever is inserted, deleted and asked for', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), ranked), { maxLength: 80 });
  fc.assert(
    fc.property(steps, fc.option(ranked, { nil: undefined }), (steps, after) => {
      const order = new ScoreOrder<Ranked>();
      const items = new Map<string, Ranked>();
      for (const [isInsertion, item] of steps) {
        const name = `${item.score} ${item.key}`;
        const known = items.get(name);
        if (isInsertion && !known) {
          items.set(name, item);
          order.insert(item);
        } else if (!isInsertion) {
          order.delete(known ?? item);
          items.delete(name);
        }
      }
      const sorted = [...items.values()].toSorted(compare);
      const behind = sorted.filter((item) => !after || compare(item, after) > 0);
      const before = sorted.filter((item) => !after || compare(item, after) < 0);
      expect([...order.walk(after, false)]).toEqual(behind);
      expect([...order.walk(after, true)]).toEqual(before.toReversed());
    }),
    { numRuns: 500 },
  );
});

test('stays sorted beyond one chunk', () => {
  const order = new ScoreOrder<Ranked>();
  const items = Array.from({ length: 5000 }, (_, index) => ({
    score: (index * 7919) % 1000,
    key: `${(index * 104_729) % 5003}`,
  }));
  for (const item of items) order.insert(item);
  const sorted = items.toSorted(compare);
  expect([...order.walk(undefined, false)]).toEqual(sorted);
  expect([...order.walk(sorted[2499], false)]).toEqual(sorted.slice(2500));
  expect([...order.walk(sorted[2500], true)]).toEqual(sorted.slice(0, 2500).toReversed());
  for (const item of items.slice(0, 4990)) order.delete(item);
  expect([...order.walk(undefined, true)]).toEqual(
    items.slice(4990).toSorted(compare).toReversed(),
  );
});
