import { expect, test } from 'vitest';
import { AdmissionControl } from './admission-control.ts';
import { defaultClientOptions } from './client-options.ts';
import { ManualClock } from './testing/manual-clock.ts';

function setUp(limits: { connectionLimit?: number; connectionRateLimit?: number }) {
  const clock = new ManualClock();
  return { clock, admission: new AdmissionControl({ ...defaultClientOptions, ...limits }, clock) };
}

test('without limits everybody comes in', () => {
  const { admission } = setUp({});
  expect(admission.refusal(1_000_000)).toBeUndefined();
});

test('a full node refuses, and says when to come back', () => {
  const { admission } = setUp({ connectionLimit: 2 });
  expect(admission.refusal(1)).toBeUndefined();
  expect(admission.refusal(2)).toMatchObject({
    status: 503,
    code: 'connection_limit',
    headers: { 'Retry-After': '5' },
  });
});

test('a rate is kept over time, with one second of burst', () => {
  const { clock, admission } = setUp({ connectionRateLimit: 3 });
  const attempt = (): boolean => admission.refusal(0) === undefined;
  expect([attempt(), attempt(), attempt(), attempt()]).toEqual([true, true, true, false]);
  clock.advance(334);
  expect([attempt(), attempt()]).toEqual([true, false]);
  clock.advance(60_000);
  expect([attempt(), attempt(), attempt(), attempt()]).toEqual([true, true, true, false]);
});
