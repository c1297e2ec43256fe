import type { Notification } from '@holdfast/protocol/inbox';
import { expect, test, vi } from 'vitest';
import type { Environment } from '../environment.ts';
import { Acknowledger } from './acknowledger.ts';
import type { InboxApi } from './inbox-api.ts';

/** One that speaks for its browser, with timers that the test lets go off. */
async function setUp(left: readonly string[] = []) {
  const timers: (() => void)[] = [];
  const told: (readonly string[])[] = [];
  const redelivered: string[] = [];
  const api = {
    connect: () => Promise.resolve(left.map((id) => ({ id }) as Notification)),
    acknowledge: (_device: string, ids: readonly string[]) => {
      told.push(ids);
      return Promise.resolve();
    },
  } as unknown as InboxApi;
  const environment = {
    after: (_delayMs: number, action: () => void) => {
      timers.push(action);
      return () => undefined;
    },
  } as unknown as Environment;
  const acknowledger = new Acknowledger({
    api,
    device: () => 'phone',
    onRedelivered: (notifications) => redelivered.push(...notifications.map(({ id }) => id)),
    environment,
    backoff: { minDelayMs: 1, maxDelayMs: 1 },
  });
  acknowledger.start();
  await vi.waitFor(() => expect(redelivered).toEqual(left));
  const letTimersGoOff = (): void => {
    for (const action of timers.splice(0)) action();
  };
  return { acknowledger, told, letTimersGoOff };
}

test('what comes together is told together, with what was left', async () => {
  const { acknowledger, told, letTimersGoOff } = await setUp(['1']);
  acknowledger.add(['2']);
  acknowledger.add(['3', '2']);
  expect(told).toEqual([]);
  letTimersGoOff();
  expect(told).toEqual([['1', '2', '3']]);
});

test('what waits when the page ends is told at once, and once', async () => {
  const { acknowledger, told, letTimersGoOff } = await setUp();
  acknowledger.add(['1', '2']);
  acknowledger.leave();
  expect(told).toEqual([['1', '2']]);
  letTimersGoOff();
  acknowledger.add(['3']);
  acknowledger.leave();
  expect(told).toEqual([['1', '2']]);
});

test('one that is stopped tells nothing: its user may be gone', async () => {
  const { acknowledger, told, letTimersGoOff } = await setUp();
  acknowledger.add(['1']);
  acknowledger.stop();
  acknowledger.leave();
  letTimersGoOff();
  expect(told).toEqual([]);
});
