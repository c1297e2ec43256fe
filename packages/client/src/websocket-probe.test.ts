import { expect, test } from 'vitest';
import type { Environment } from './environment.ts';
import { WebSocketProbe } from './websocket-probe.ts';

const url = 'ws://127.0.0.1/connection/websocket';

/** A clock that the test moves, and sockets that it opens and closes. */
function setUp() {
  let now = 0;
  const timers = new Set<{ readonly at: number; readonly action: () => void }>();
  const sockets: EventTarget[] = [];
  class Socket extends EventTarget {
    readyState = 1;
    constructor() {
      super();
      sockets.push(this);
    }
    close(): void {
      this.readyState = 3;
    }
    send(): void {
      throw new Error('nothing is sent over a probe');
    }
  }
  const environment = {
    random: () => 0.5,
    after: (delayMs: number, action: () => void) => {
      const timer = { at: now + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  } as unknown as Environment;
  let timesPossible = 0;
  const probe = new WebSocketProbe(Socket as never, environment);
  return {
    probe,
    sockets,
    start: () => probe.start(url, () => (timesPossible += 1)),
    timesPossible: () => timesPossible,
    /** Until the next probe, whose handshake then ends like this; returns how long that was. */
    next: (end: 'open' | 'close'): number => {
      const [timer] = [...timers].toSorted((one, other) => one.at - other.at);
      const waitedMs = timer!.at - now;
      now = timer!.at;
      timers.delete(timer!);
      timer!.action();
      sockets.at(-1)!.dispatchEvent(new Event(end));
      return waitedMs;
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('ever more rarely, one at a time, until one succeeds', () => {
  const { start, next, timesPossible, sockets } = setUp();
  start();
  const waits = Array.from({ length: 6 }, () => next('close') / 60_000);
  expect(waits).toEqual([1, 2, 4, 8, 10, 10]);
  expect(timesPossible()).toBe(0);
  next('open');
  expect(timesPossible()).toBe(1);
  expect(sockets).toHaveLength(7);
});

test('a network that may be another one is tried like at first, but not put off by being named again', () => {
  const { start, next, probe, pass } = setUp();
  start();
  for (let n = 0; n < 4; n++) next('close');
  probe.renew();
  pass(20_000);
  probe.renew();
  expect(next('close')).toBe(40_000);
  expect(next('close')).toBe(60_000);
  expect(next('close')).toBe(120_000);
});

test('a fallback that is connected anew goes on where it was; one that is left begins anew', () => {
  const { start, next, probe } = setUp();
  start();
  next('close');
  start();
  expect(next('close')).toBe(240_000);
  probe.stop();
  start();
  expect(next('close')).toBe(60_000);
});
