import { expect, test } from 'vitest';
import { ServerClock } from './server-clock.ts';

test('the estimate is never ahead of the server, and answers mend a clock that was set', () => {
  let own = 1000;
  const clock = new ServerClock({ now: () => own });
  expect(clock.now()).toBe(1000);
  // 50 ms under way, from a server that is 500 ahead.
  clock.heard(1450);
  expect(clock.now()).toBe(1450);
  // An old event, told again: nothing new.
  clock.heard(300);
  expect(clock.now()).toBe(1450);
  // A faster one is closer to the truth.
  clock.heard(1490);
  expect(clock.now()).toBe(1490);
  own += 10_000;
  expect(clock.now()).toBe(11_490);
  // The clock of this machine is set forward: events cannot tell, an answer does.
  own += 60_000;
  clock.heard(11_480);
  expect(clock.now()).toBe(71_490);
  const askedAt = clock.asked();
  own += 100;
  clock.answered(11_550, askedAt);
  expect(clock.now()).toBe(11_650);
  // And back: the next event shows it.
  own -= 60_000;
  clock.heard(11_700);
  expect(clock.now()).toBe(11_700);
});
