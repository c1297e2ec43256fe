import { expect, test } from 'vitest';
import { atOnce, isPending, type Soon, whenThere } from './soon.ts';

/** As an application's own library may make it: no Promise, but one may wait for it. */
function foreignPromise<Value>(value: Value): Promise<Value> {
  const promise = Promise.resolve(value);
  // oxlint-disable-next-line unicorn/no-thenable -- the point of it
  return { then: promise.then.bind(promise) } as unknown as Promise<Value>;
}

test('goes on at once with what is there, and when it comes with what is not', async () => {
  const double = (value: number): number => value * 2;
  expect(whenThere(21, double)).toBe(42);
  const answers: Soon<number>[] = [Promise.resolve(21), foreignPromise(21)];
  for (const answer of answers) {
    const later = whenThere(answer, double);
    expect(isPending(later)).toBe(true);
    expect(await later).toBe(42);
  }
});

test('what is undefined or null is there', () => {
  expect([undefined, null].map(isPending)).toEqual([false, false]);
});

test('what is thrown at once can be dealt with as what is thrown later', async () => {
  const outcome = atOnce(() => {
    throw new Error('at once');
  });
  await expect(outcome).rejects.toThrow('at once');
  expect(atOnce(() => 42)).toBe(42);
});
