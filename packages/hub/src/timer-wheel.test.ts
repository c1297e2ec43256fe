import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from './testing/manual-clock.ts';
import { neverDue, type Sleeper, TimerWheel } from './timer-wheel.ts';

class Recorder implements Sleeper {
  wakeTick = neverDue;
  readonly wokenAt: number[] = [];
  next = Infinity;

  wake(now: number): number {
    this.wokenAt.push(now);
    return this.next;
  }
}

function setUp() {
  const clock = new ManualClock();
  return { clock, wheel: new TimerWheel(clock) };
}

test('wakes once, at the first tick after the deadline', () => {
  const { clock, wheel } = setUp();
  const sleeper = new Recorder();
  wheel.schedule(sleeper, 120);
  clock.advance(119);
  expect(sleeper.wokenAt).toEqual([]);
  clock.advance(10_000);
  expect(sleeper.wokenAt).toEqual([150]);
});

test('the earlier of two deadlines counts', () => {
  const { clock, wheel } = setUp();
  const sleeper = new Recorder();
  wheel.schedule(sleeper, 1_000);
  wheel.schedule(sleeper, 100);
  wheel.schedule(sleeper, 5_000);
  clock.advance(10_000);
  expect(sleeper.wokenAt).toEqual([100]);
});

test('a sleeper goes on with the deadline it returns', () => {
  const { clock, wheel } = setUp();
  const sleeper = new Recorder();
  sleeper.next = 200;
  wheel.schedule(sleeper, 100);
  clock.advance(150);
  sleeper.next = Infinity;
  clock.advance(10_000);
  expect(sleeper.wokenAt).toEqual([100, 200]);
});

test('a cancelled sleeper sleeps on', () => {
  const { clock, wheel } = setUp();
  const sleeper = new Recorder();
  wheel.schedule(sleeper, 100);
  wheel.cancel(sleeper);
  wheel.cancel(sleeper);
  clock.advance(1_000);
  expect(sleeper.wokenAt).toEqual([]);
});

test('a sleeper may cancel another one that is due at the same time', () => {
  const { clock, wheel } = setUp();
  const second = new Recorder();
  const first = new Recorder();
  first.wake = () => {
    wheel.cancel(second);
    second.next = Infinity;
    return Infinity;
  };
  wheel.schedule(first, 100);
  wheel.schedule(second, 400);
  clock.advance(1_000);
  expect(second.wokenAt).toEqual([]);
});

test('deadlines beyond the horizon are kept', () => {
  const { clock, wheel } = setUp();
  const sleeper = new Recorder();
  const deadline = 3_600_000;
  sleeper.wake = (now) => {
    sleeper.wokenAt.push(now);
    return now >= deadline ? Infinity : deadline;
  };
  wheel.schedule(sleeper, deadline);
  clock.advance(4_000_000);
  expect(sleeper.wokenAt.at(-1)).toBe(deadline);
});

test('after a stall everything overdue is woken at once', () => {
  let now = 0;
  let tick = (): void => {};
  const wheel = new TimerWheel({
    now: () => now,
    monotonic: () => now,
    every: (_, callback) => {
      tick = callback;
      return () => {};
    },
  });
  const sleepers = [100, 50_000, 100_000].map((deadline) => {
    const sleeper = new Recorder();
    wheel.schedule(sleeper, deadline);
    return sleeper;
  });
  now = 10_000_000;
  tick();
  expect(sleepers.map(({ wokenAt }) => wokenAt)).toEqual([[now], [now], [now]]);
});

test('never early, and late by less than one tick and one advance', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 50 }),
      fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 100 }),
      (deadlines, steps) => {
        const { clock, wheel } = setUp();
        const sleepers = deadlines.map((deadline) => {
          const sleeper = new Recorder();
          wheel.schedule(sleeper, deadline);
          return { sleeper, deadline };
        });
        for (const step of steps) clock.advance(step);
        for (const { sleeper, deadline } of sleepers) {
          const isDue = clock.monotonic() >= deadline + 50;
          expect(sleeper.wokenAt.length).toBeGreaterThanOrEqual(isDue ? 1 : 0);
          for (const at of sleeper.wokenAt) {
            expect(at).toBeGreaterThanOrEqual(deadline);
            expect(at).toBeLessThan(deadline + 100);
          }
        }
      },
    ),
  );
});
