import { assert, constantFrom, date, integer, pre, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { quietMinutesLeft } from './quiet-minutes.ts';

const hour = 60;

const endOf = (quiet: Parameters<typeof quietMinutesLeft>[0], now: number): string =>
  new Date(now + quietMinutesLeft(quiet, now) * 60_000).toISOString();

test.each([
  { name: 'a night as any other', now: '2026-11-22T23:30+01:00', end: '2026-11-23T07:00+01:00' },
  { name: 'summer time ends', now: '2026-10-25T00:30+02:00', end: '2026-10-25T07:00+01:00' },
  {
    name: 'in the hour that returns',
    now: '2026-10-25T02:30+02:00',
    end: '2026-10-25T07:00+01:00',
  },
  { name: 'summer time begins', now: '2026-03-29T00:30+01:00', end: '2026-03-29T07:00+02:00' },
  {
    name: 'it ends elsewhere',
    timeZone: 'America/New_York',
    now: '2026-10-31T22:00-04:00',
    end: '2026-11-01T07:00-05:00',
  },
  {
    name: 'by half an hour',
    timeZone: 'Australia/Lord_Howe',
    now: '2026-04-05T00:30+11:00',
    end: '2026-04-05T07:00+10:30',
  },
])('$name: quiet hours end when the clock there says so', (night) => {
  const { timeZone = 'Europe/Berlin', now, end } = night;
  const quiet = { from: 22 * hour, to: 7 * hour, timeZone };
  expect(endOf(quiet, Date.parse(now))).toBe(new Date(end).toISOString());
});

test('an end that is left out when summer time begins is met within the hour', () => {
  const quiet = { from: 22 * hour, to: 2 * hour + 30, timeZone: 'Europe/Berlin' };
  const now = Date.parse('2026-03-29T01:30+01:00');
  expect(endOf(quiet, now)).toBe(new Date('2026-03-29T03:30+02:00').toISOString());
});

test('they end where they are over, whatever the zone and the hour', () => {
  assert(
    property(
      record({
        from: integer({ min: 0, max: 1439 }),
        to: integer({ min: 0, max: 1439 }),
        timeZone: constantFrom(
          'Europe/Berlin',
          'America/New_York',
          'Australia/Lord_Howe',
          '+05:45',
        ),
      }),
      date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true }),
      (quiet, when) => {
        pre(quiet.from !== quiet.to);
        const now = when.getTime();
        const left = quietMinutesLeft(quiet, now);
        // A day of 25 hours is the longest.
        expect(left).toBeLessThanOrEqual(25 * hour);
        expect(quietMinutesLeft(quiet, now + left * 60_000)).toBe(0);
      },
    ),
  );
});
