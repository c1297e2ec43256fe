import { expect, test } from 'vitest';
import { ManualClock } from '../testing/manual-clock.ts';
import { RecordedLogger } from '../testing/recorded-logger.ts';
import { ThrottledLog } from './throttled-log.ts';

test('a key is logged once per interval, then with what was left out', () => {
  const clock = new ManualClock();
  const logger = new RecordedLogger();
  const log = new ThrottledLog(logger, { clock, intervalMs: 1_000 });
  log.warn('a', { n: 1 }, 'first');
  log.warn('b', { n: 2 }, 'other key');
  clock.advance(999);
  log.warn('a', { n: 3 }, 'too soon');
  clock.advance(1);
  log.warn('a', { n: 4 }, 'again');
  clock.advance(1_000);
  log.warn('a', { n: 5 }, 'nothing left out');
  expect(logger.lines).toEqual([
    { level: 'warn', fields: { n: 1 }, message: 'first' },
    { level: 'warn', fields: { n: 2 }, message: 'other key' },
    { level: 'warn', fields: { n: 4, suppressed: 1 }, message: 'again' },
    { level: 'warn', fields: { n: 5 }, message: 'nothing left out' },
  ]);
});
