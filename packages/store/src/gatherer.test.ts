import { expect, test, vi } from 'vitest';
import { StoreError } from './errors.ts';
import { concernsEverybody, Gatherer, type Waiting } from './gatherer.ts';
import { StoreMetrics } from './metrics.ts';
import { ManualClock } from './testing/manual-clock.ts';

interface Named extends Waiting {
  readonly name: string;
}

function createGatherer() {
  const clock = new ManualClock();
  const metrics = new StoreMetrics();
  const runs: string[][] = [];
  const refused: string[] = [];
  const ends: (() => void)[] = [];
  const gatherer = new Gatherer<Named>(
    async (items) => {
      runs.push(items.map(({ name }) => name));
      await new Promise<void>((resolve) => ends.push(resolve));
    },
    { clock, metrics, items: 'letters', maxItems: 3 },
  );
  const add = (name: string, weight = 1): void =>
    gatherer.add({ name, weight, reject: (error) => refused.push(`${name} ${String(error)}`) });
  return { clock, metrics, runs, refused, ends, add };
}

test('what comes together is done together, what comes meanwhile next, so many at once', async () => {
  const { metrics, runs, ends, add } = createGatherer();
  add('a');
  add('b');
  expect(metrics.waiting).toBe(2);
  await vi.waitFor(() => expect(runs).toEqual([['a', 'b']]));
  for (const name of ['c', 'd', 'e', 'f']) add(name);
  expect(metrics.waiting).toBe(4);
  ends.shift()?.();
  await vi.waitFor(() => expect(runs.slice(1)).toEqual([['c', 'd', 'e']]));
  ends.shift()?.();
  await vi.waitFor(() => expect(runs.slice(2)).toEqual([['f']]));
  expect(metrics.waiting).toBe(0);
});

test('what weighs more than one counts as many, and what weighs too much is done by itself', async () => {
  const { runs, ends, add } = createGatherer();
  add('a', 2);
  add('b', 2);
  add('c', 9);
  add('d', 1);
  add('e', 2);
  for (let run = 0; run < 4; run += 1) {
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    ends.shift()?.();
  }
  expect(runs).toEqual([['a'], ['b'], ['c'], ['d', 'e']]);
});

test('the wait has a limit in time and in number', async () => {
  const { clock, metrics, runs, refused, ends, add } = createGatherer();
  add('a');
  await vi.waitFor(() => expect(runs).toHaveLength(1));
  add('late');
  clock.advance(5000);
  add('b');
  ends.shift()?.();
  await vi.waitFor(() => expect(runs.slice(1)).toEqual([['b']]));
  expect(refused).toEqual([expect.stringMatching(/^late .*5000 ms .* letters/)]);
  for (let index = 0; index < 10_000; index += 1) add(`w${index}`);
  add('beyond');
  expect(refused.slice(1)).toEqual([expect.stringMatching(/^beyond .*10000 letters/)]);
  expect(metrics.waiting).toBe(10_000);
});

test('what is wrong with the database concerns everybody, what is wrong with one item does not', () => {
  const common = ['store_unreachable', 'store_commit_unknown', 'store_disk_full'] as const;
  const own = ['store_bad_value', 'store_conflict', 'store_locked', 'store_closed'] as const;
  for (const code of common) expect(concernsEverybody(new StoreError(code, 'test'))).toBe(true);
  for (const code of own) expect(concernsEverybody(new StoreError(code, 'test'))).toBe(false);
  expect(concernsEverybody(new Error('test'))).toBe(false);
});
