import { expect, test } from 'vitest';
import { CommandLimits, ConnectionMeters } from './command-limits.ts';
import { HubMetrics } from './metrics.ts';
import { defaultClientOptions, defaultRateLimitOptions } from './client-options.ts';
import { ManualClock } from './testing/manual-clock.ts';

test('a hundred thousand users that came once leave nothing behind', () => {
  const clock = new ManualClock();
  const rateLimit = { ...defaultRateLimitOptions, userCommandsPerSecond: 10 };
  const options = { ...defaultClientOptions, rateLimit };
  const limits = new CommandLimits({ options, clock, metrics: new HubMetrics() });
  let most = 0;
  for (let user = 0; user < 100_000; user += 1) {
    limits.take(new ConnectionMeters(), String(user), false);
    if (user % 100 === 0) clock.advance(1);
    most = Math.max(most, limits.userCount);
  }
  // One command is forgotten after 100 ms, in which 10,000 users come.
  expect(most).toBeLessThanOrEqual(2 * 10_000 + 1_024);
});
