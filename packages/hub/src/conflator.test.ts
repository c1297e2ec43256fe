import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { Conflator } from './conflator.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { TimerWheel } from './timer-wheel.ts';

interface Delivery {
  readonly key: string;
  readonly value: number;
  readonly at: number;
}

function setUp(intervalMs: number) {
  const clock = new ManualClock();
  const timers = new TimerWheel(clock);
  const delivered: Delivery[] = [];
  const dropped: number[] = [];
  const conflator = new Conflator<Omit<Delivery, 'at'>>({
    intervalMs,
    clock,
    timers,
    deliver: (item) => delivered.push({ ...item, at: clock.monotonic() }),
    dropped: (_, { value }) => dropped.push(value),
  });
  return { clock, timers, conflator, delivered, dropped };
}

const schedule = array(
  record({ waitMs: integer({ min: 0, max: 400 }), key: constantFrom('a', 'b', 'c') }),
  { minLength: 1, maxLength: 200 },
);

test('per key the last value always arrives, never two within an interval, in order', () => {
  assert(
    property(schedule, integer({ min: 1, max: 1_000 }), (steps, intervalMs) => {
      const { clock, timers, conflator, delivered, dropped } = setUp(intervalMs);
      const last = new Map<string, number>();
      steps.forEach(({ waitMs, key }, value) => {
        clock.advance(waitMs);
        conflator.offer(key, { key, value });
        last.set(key, value);
      });
      // One interval, and one tick of the wheel.
      clock.advance(intervalMs + 50);
      for (const [key, value] of last) {
        const ofKey = delivered.filter((delivery) => delivery.key === key);
        expect(ofKey.at(-1)?.value).toBe(value);
        const pauses = ofKey.slice(1).map(({ at }, index) => at - (ofKey[index]?.at ?? 0));
        expect(pauses.filter((pauseMs) => pauseMs < intervalMs)).toEqual([]);
      }
      const values = delivered.map(({ value }) => value);
      expect(values).toEqual(values.toSorted((left, right) => left - right));
      expect([...values, ...dropped].toSorted((left, right) => left - right)).toEqual(
        steps.map((_, index) => index),
      );
      timers.close();
    }),
  );
});

test('what waits is newer than everything delivered', () => {
  assert(
    property(schedule, (steps) => {
      const { clock, conflator, delivered } = setUp(300);
      steps.forEach(({ waitMs, key }, value) => {
        clock.advance(waitMs);
        conflator.offer(key, { key, value });
        const highest = delivered.at(-1)?.value ?? -1;
        const newest = new Map(steps.slice(0, value + 1).map((step, index) => [step.key, index]));
        // A client that recovers behind its last delivery gets the latest of each key.
        for (const [name, latest] of newest) {
          const has = delivered.findLast((delivery) => delivery.key === name)?.value;
          expect(has === latest || latest > highest).toBe(true);
        }
      });
    }),
  );
});

test('after a pause nothing waits', () => {
  const { clock, conflator, delivered } = setUp(1_000);
  conflator.offer('a', { key: 'a', value: 1 });
  clock.advance(1_000);
  conflator.offer('a', { key: 'a', value: 2 });
  expect(delivered.map(({ value }) => value)).toEqual([1, 2]);
});

test('too many keys do not wait', () => {
  const { conflator, delivered } = setUp(1_000);
  for (let value = 0; value <= 1_001; value += 1) {
    conflator.offer(String(value), { key: String(value), value });
  }
  expect(delivered).toHaveLength(1_002);
});

test('closed, it delivers nothing more', () => {
  const { clock, conflator, delivered } = setUp(100);
  for (const value of [1, 2]) conflator.offer('a', { key: 'a', value });
  conflator.close();
  clock.advance(1_000);
  expect(delivered.map(({ value }) => value)).toEqual([1]);
});
