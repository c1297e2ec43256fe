import { HttpRefusal } from '@holdfast/http';
import { ManualClock } from '@holdfast/hub/testing';
import { expect, test } from 'vitest';
import { UserRequestLimit } from './user-request-limit.ts';

/** What is answered to a request: `ok`, or the seconds after which to come back. */
function ask(limit: UserRequestLimit, user: string): string | undefined {
  try {
    limit.admit(user);
    return 'ok';
  } catch (error) {
    if (!(error instanceof HttpRefusal)) throw error;
    return error.headers['retry-after'];
  }
}

test('a user may send a burst, then what time earns, and others are left alone', () => {
  const clock = new ManualClock();
  const limit = new UserRequestLimit({ perSecond: 2, burst: 3, clock });
  const asks = (user: string, count: number) =>
    Array.from({ length: count }, () => ask(limit, user));
  expect(asks('ann', 5)).toEqual(['ok', 'ok', 'ok', '1', '1']);
  expect(asks('bob', 1)).toEqual(['ok']);
  clock.advance(500);
  expect(asks('ann', 2)).toEqual(['ok', '1']);
  clock.advance(60_000);
  expect(asks('ann', 4)).toEqual(['ok', 'ok', 'ok', '1']);
  expect(limit.refused).toBe(4);
});

test('who comes back when told to is let in', () => {
  const clock = new ManualClock();
  const limit = new UserRequestLimit({ perSecond: 0.1, burst: 1, clock });
  expect(ask(limit, 'ann')).toBe('ok');
  clock.advance(3_000);
  const seconds = Number(ask(limit, 'ann'));
  // Rounding is half a token generous: 10 s after the first, less the 3 that passed, less 5.
  expect(seconds).toBe(2);
  clock.advance(seconds * 1_000);
  expect(ask(limit, 'ann')).toBe('ok');
});

test('the answer is one that our client comes back after', () => {
  const limit = new UserRequestLimit({ perSecond: 1, burst: 1, clock: new ManualClock() });
  limit.admit('ann');
  expect(() => limit.admit('ann')).toThrow(
    expect.objectContaining({ status: 429, code: 'too_many_requests', retryable: true }),
  );
});

test('without a rate there is no limit, and nobody is remembered', () => {
  const limit = new UserRequestLimit({ perSecond: 0, burst: 1 });
  for (let count = 0; count < 10_000; count += 1) limit.admit('ann');
  expect([limit.refused, limit.userCount]).toEqual([0, 0]);
});

test('users who came once are forgotten', () => {
  const clock = new ManualClock();
  const limit = new UserRequestLimit({ perSecond: 50, burst: 500, clock });
  let most = 0;
  for (let user = 0; user < 100_000; user += 1) {
    limit.admit(String(user));
    if (user % 100 === 0) clock.advance(1);
    most = Math.max(most, limit.userCount);
  }
  // One request is forgotten after 20 ms, in which 2,000 users come.
  expect(most).toBeLessThanOrEqual(2 * 2_000 + 1_024);
});
