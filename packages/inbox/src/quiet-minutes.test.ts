import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quietMinutesLeft } from './quiet-minutes.ts';

const hour = 60;
const night = { from: 22 * hour, to: 7 * hour };

const endOf = (quiet: Parameters<typeof quietMinutesLeft>[0], now: number): string =>
  new Date(now + quietMinutesLeft(quiet, now) * 60_000).toISOString();

test.each([
  ['a night as any other', 'Europe/Berlin', '2026-11-22T23:30+01:00', '2026-11-23T07:00+01:00'],
  ['summer time ends', 'Europe/Berlin', '2026-10-25T00:30+02:00', '2026-10-25T07:00+01:00'],
  [
    'the hour that comes twice',
    'Europe/Berlin',
    '2026-10-25T02:30+02:00',
    '2026-10-25T07:00+01:00',
  ],
  ['summer time begins', 'Europe/Berlin', '2026-03-29T00:30+01:00', '2026-03-29T07:00+02:00'],
  ['it ends in New York', 'America/New_York', '2026-10-31T22:00-04:00', '2026-11-01T07:00-05:00'],
  ['by half an hour', 'Australia/Lord_Howe', '2026-04-05T00:30+11:00', '2026-04-05T07:00+10:30'],
])('%s: quiet hours end when the clock there says so', (_, timeZone, now, end) => {
  expect(endOf({ ...night, timeZone }, Date.parse(now))).toBe(new Date(end).toISOString());
});

test('an end that is left out when summer time begins is met within the hour', () => {
  const quiet = { from: 22 * hour, to: 2 * hour + 30, timeZone: 'Europe/Berlin' };
  const now = Date.parse('2026-03-29T01:30+01:00');
  expect(endOf(quiet, now)).toBe(new Date('2026-03-29T03:30+02:00').toISOString());
});

test('they end where they are over, whatever the zone and the hour', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1439 }),
      fc.integer({ min: 0, max: 1439 }),
      fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC', '+05:45'),
      fc.date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true }),
      (from, to, timeZone, date) => {
        fc.pre(from !== to);
        const quiet = { from, to, timeZone };
        const left = quietMinutesLeft(quiet, date.getTime());
        // A day of 25 hours is the longest.
        expect(left).toBeLessThanOrEqual(25 * hour);
        expect(left).toBeGreaterThanOrEqual(0);
        if (left > 0) expect(quietMinutesLeft(quiet, date.getTime() + left * 60_000)).toBe(0);
      },
    ),
  );
});
