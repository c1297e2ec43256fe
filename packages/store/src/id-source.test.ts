import { array, assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { createIdSource, idTime, isId } from './id-source.ts';

function sourceAt(times: readonly number[], fill: number) {
  let index = 0;
  return createIdSource({
    clock: { now: () => times[Math.min(index++, times.length - 1)] ?? 0 },
    random: (bytes) => bytes.fill(fill),
  });
}

test('ids are UUIDs of version 7 that carry the time', () => {
  const id = createIdSource({ clock: { now: () => 0x0123456789ab } }).next();
  expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(isId(id)).toBe(true);
  expect(idTime(id)).toBe(0x0123456789ab);
});

test('ids increase whatever the clock does', () => {
  assert(
    property(
      array(integer({ min: 0, max: 2 ** 48 - 1 }), { minLength: 2, maxLength: 50 }),
      integer({ min: 0, max: 255 }),
      (times, fill) => {
        const source = sourceAt(times, fill);
        const ids = times.map(() => source.next());
        expect(ids.every(isId)).toBe(true);
        expect(ids.toSorted()).toEqual(ids);
        expect(new Set(ids).size).toBe(ids.length);
      },
    ),
  );
});

test('when the counter is used up the timestamp runs ahead', () => {
  const last = '00000000-0064-7fff-bfff-000000000000';
  const source = createIdSource({
    clock: { now: () => 100 },
    random: (bytes) => bytes.fill(0xff),
    after: last,
  });
  const next = source.next();
  expect(next > last).toBe(true);
  expect(idTime(next)).toBe(101);
});

test('ids continue above the newest one of an earlier run, though the clock was set back', () => {
  const before = createIdSource({ clock: { now: () => 2000 } }).next();
  const source = createIdSource({ clock: { now: () => 1000 }, after: before });
  expect(source.next() > before).toBe(true);
  expect(() => createIdSource({ clock: { now: () => 0 }, after: 'nonsense' })).toThrow(RangeError);
});

test('a million ids of one millisecond are all different', () => {
  const source = createIdSource({ clock: { now: () => 1 } });
  let previous = source.next();
  let disordered = 0;
  for (let index = 0; index < 1_000_000; index += 1) {
    const next = source.next();
    if (next <= previous) disordered += 1;
    previous = next;
  }
  expect(disordered).toBe(0);
});
