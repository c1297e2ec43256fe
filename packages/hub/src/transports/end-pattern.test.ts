import { expect, test } from 'vitest';
import { EndPattern } from './end-pattern.ts';

/** The same numbers in every run (Numerical Recipes). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test.each([5_000, 10_000, 25_000, 60_000])(
  'people who leave at random are no timeout: pings every %i ms',
  (pingIntervalMs) => {
    const random = numbersFrom(42);
    let falseAlarms = 0;
    const paths = 5_000;
    for (let path = 0; path < paths; path += 1) {
      const pattern = new EndPattern(pingIntervalMs);
      let isAlarmed = false;
      for (let at = 0; at < 40_000; at += 1_000) {
        const ageMs = -Math.log(1 - random()) * 600_000;
        const silentMs = Math.min(ageMs, random() * pingIntervalMs);
        isAlarmed ||= pattern.add({ at, ageMs, silentMs }) !== undefined;
      }
      if (isAlarmed) falseAlarms += 1;
    }
    expect(falseAlarms / paths).toBeLessThan(0.001);
  },
);

test.each([1_000, 5_000, 20_000, 60_000])('a timeout of %i ms is found at its fifth end', (ms) => {
  const random = numbersFrom(7);
  const pattern = new EndPattern(25_000);
  const rules = Array.from({ length: 6 }, (_, index) =>
    // A little late, as timers are.
    pattern.add({ at: index * 1_000, ageMs: 60_000 * index + ms, silentMs: ms + random() * 300 }),
  );
  expect(rules.map((rule) => rule?.kind)).toEqual([
    ...Array.from({ length: 4 }, () => undefined),
    'silence',
    'silence',
  ]);
});
