import { expect, test } from 'vitest';
import { LastSeen } from './last-seen.ts';
import { ManualClock } from './testing/manual-clock.ts';

function setUp(limits: { lastSeenTtlMs?: number; lastSeenMaxUsers?: number }) {
  const clock = new ManualClock(1_000);
  const lastSeen = new LastSeen({ lastSeenTtlMs: 60_000, lastSeenMaxUsers: 100, ...limits }, clock);
  return { clock, lastSeen };
}

test('remembers when a user left last', () => {
  const { clock, lastSeen } = setUp({});
  lastSeen.left('ann');
  clock.advance(500);
  lastSeen.left('ann');
  expect(lastSeen.of('ann')).toBe(1_500);
  expect(lastSeen.of('bob')).toBeUndefined();
});

test('forgets after the time to live, and what is forgotten takes no room', () => {
  const { clock, lastSeen } = setUp({ lastSeenTtlMs: 1_000 });
  for (const user of ['ann', 'bob', 'cem']) lastSeen.left(user);
  clock.advance(1_000);
  expect(lastSeen.of('ann')).toBeUndefined();
  lastSeen.left('dan');
  expect(lastSeen.size).toBe(1);
});

test('keeps the latest when there are too many', () => {
  const { clock, lastSeen } = setUp({ lastSeenMaxUsers: 2 });
  for (const user of ['ann', 'bob', 'ann', 'cem']) {
    lastSeen.left(user);
    clock.advance(1);
  }
  expect([lastSeen.of('ann'), lastSeen.of('bob'), lastSeen.of('cem')]).toEqual([
    1_002,
    undefined,
    1_003,
  ]);
});

test('can be switched off', () => {
  const { lastSeen } = setUp({ lastSeenMaxUsers: 0 });
  lastSeen.left('ann');
  expect(lastSeen.size).toBe(0);
});
