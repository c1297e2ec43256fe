import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Handshake, HandshakeQueue } from './handshake-queue.ts';
import { HubMetrics } from './metrics.ts';
import { type AdmissionOptions, defaultAdmissionOptions } from './client-options.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { RecordedLogger } from './testing/recorded-logger.ts';

function setUp(options: Partial<AdmissionOptions> = {}) {
  const clock = new ManualClock();
  const logger = new RecordedLogger();
  const metrics = new HubMetrics();
  const queue = new HandshakeQueue({
    options: { ...defaultAdmissionOptions, ...options },
    clock,
    logger,
    random: () => 0.5,
    onChange: (running, waiting) => {
      metrics.handshakesUnderWay = running;
      metrics.handshakesWaiting = waiting;
    },
    onRefused: () => metrics.refusedHandshakes.add('handshake_queue'),
  });
  const enter = (count: number) => Array.from({ length: count }, () => queue.enter());
  return { clock, logger, metrics, queue, enter };
}

function states(handshakes: readonly Handshake[]): readonly string[] {
  return handshakes.map(({ state }) => state);
}

test('so many go on at the same time, and the others in the order in which they came', () => {
  const { enter, metrics } = setUp({ concurrency: 2 });
  const all = enter(4);
  expect(states(all)).toEqual(['running', 'running', 'waiting', 'waiting']);
  expect([metrics.handshakesUnderWay, metrics.handshakesWaiting]).toEqual([2, 2]);
  all[1]?.end();
  expect(states(all)).toEqual(['running', 'over', 'running', 'waiting']);
  all[0]?.end();
  all[0]?.end();
  expect(states(all)).toEqual(['over', 'over', 'running', 'running']);
  expect([metrics.handshakesUnderWay, metrics.handshakesWaiting]).toEqual([2, 0]);
});

test('whoever leaves while it waits is passed over', async () => {
  const { enter } = setUp({ concurrency: 1 });
  const [first, second, third] = enter(3) as [Handshake, Handshake, Handshake];
  const turn = second.turn();
  second.end();
  await turn;
  first.end();
  expect(states([first, second, third])).toEqual(['over', 'over', 'running']);
});

test('a newcomer does not overtake those that wait', () => {
  const { enter, clock } = setUp({ concurrency: 0, rate: 1 });
  const [first, second] = enter(2);
  clock.advance(999);
  const [third] = enter(1);
  clock.advance(51);
  expect(states([first, second, third] as Handshake[])).toEqual(['running', 'running', 'waiting']);
});

test('without limits nobody waits', () => {
  const { enter } = setUp({ concurrency: 0 });
  expect(new Set(states(enter(100_000)))).toEqual(new Set(['running']));
});

test('a full queue refuses, with an error that stock clients try again on', () => {
  const { enter, queue, metrics } = setUp({ concurrency: 1, queueSize: 2 });
  expect(queue.isOverloaded()).toBe(false);
  const all = enter(4);
  expect(states(all)).toEqual(['running', 'waiting', 'waiting', 'refused']);
  expect(all[3]?.refusal).toMatchObject({
    code: 111,
    temporary: true,
    message: 'too many requests: this server is busy, try again in 2 s',
  });
  expect(queue.isOverloaded()).toBe(true);
  expect(metrics.refusedHandshakes.counts.get('handshake_queue')).toBe(1);
});

test('nobody waits longer than the timeout', async () => {
  const { enter, clock } = setUp({ concurrency: 1, queueTimeoutMs: 4_000 });
  const [, second] = enter(2) as [Handshake, Handshake];
  const turn = second.turn();
  clock.advance(3_900);
  expect(second.state).toBe('waiting');
  clock.advance(150);
  await turn;
  expect(second.state).toBe('refused');
  expect(second.refusal?.temporary).toBe(true);
});

test('when the queue would take longer than the timeout, whoever comes is told at once', () => {
  const { enter, clock, queue } = setUp({ concurrency: 1, queueTimeoutMs: 1_500 });
  const all = enter(30);
  // Ten in a second.
  for (let turn = 0; turn < 10; turn += 1) {
    clock.advance(100);
    all.find(({ state }) => state === 'running')?.end();
  }
  expect(queue.isOverloaded()).toBe(true);
  expect(states(enter(1))).toEqual(['refused']);
  // About twenty more at ten a second, and half of that again to spread them.
  expect(queue.retryAfterSeconds()).toBeGreaterThanOrEqual(1);
  expect(queue.retryAfterSeconds()).toBeLessThanOrEqual(6);
});

test('a handshake that waits for somebody else does not hold up the others for long', () => {
  const { enter, clock } = setUp({ concurrency: 1, queueTimeoutMs: 60_000 });
  const [stuck, next] = enter(2) as [Handshake, Handshake];
  clock.advance(4_900);
  expect(next.state).toBe('waiting');
  clock.advance(200);
  expect(next.state).toBe('running');
  stuck.end();
  expect(next.state).toBe('running');
});

test('a rate is kept', () => {
  const { enter, clock } = setUp({ rate: 10, queueTimeoutMs: 60_000 });
  const all = enter(40);
  const begun = () => all.filter(({ state }) => state === 'running').length;
  expect(begun()).toBe(10);
  clock.advance(1_000);
  expect(begun()).toBe(20);
  clock.advance(2_000);
  expect(begun()).toBe(40);
});

test('a backlog is one line when it becomes one and one when it is over, however many were in it', () => {
  const { enter, clock, logger } = setUp({ concurrency: 1, queueSize: 10 });
  const all = enter(500);
  clock.advance(5_000);
  for (const handshake of all) handshake.end();
  clock.advance(200);
  expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  expect(logger.lines[1]?.fields).toMatchObject({ refused: expect.any(Number) as number });
  expect(clock.timerCount).toBe(0);
});

test('a moment of waiting is not worth a line', () => {
  const { enter, clock, logger } = setUp({ concurrency: 1 });
  const all = enter(3);
  for (const handshake of all) handshake.end();
  clock.advance(1_000);
  expect(logger.lines).toEqual([]);
  expect(clock.timerCount).toBe(0);
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'enter' as const, value: 0 }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), value: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), value: fc.nat(2_000) }),
  },
);

test('no slot is lost, nobody is forgotten, nobody is overtaken', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 6 }),
      fc.array(step, { maxLength: 120 }),
      (concurrency, queueSize, steps) => {
        const { queue, clock, metrics } = setUp({ concurrency, queueSize, queueTimeoutMs: 3_000 });
        const all: Handshake[] = [];
        const begun: Handshake[] = [];
        const look = (): void => {
          const of = (state: string) => all.filter((handshake) => handshake.state === state);
          expect(metrics.handshakesWaiting).toBe(of('waiting').length);
          expect(metrics.handshakesUnderWay).toBeLessThanOrEqual(concurrency);
          expect(of('waiting').length).toBeLessThanOrEqual(queueSize);
          // Nobody waits while there is room.
          const hasRoom = metrics.handshakesUnderWay < concurrency;
          expect(hasRoom && of('waiting').length > 0).toBe(false);
          for (const handshake of of('running')) {
            if (!begun.includes(handshake)) begun.push(handshake);
          }
        };
        for (const { kind, value } of steps) {
          if (kind === 'enter') all.push(queue.enter());
          else if (kind === 'advance') clock.advance(value);
          else all[value % Math.max(1, all.length)]?.end();
          look();
        }
        const order = begun.map((handshake) => all.indexOf(handshake));
        expect(order).toEqual(order.toSorted((one, other) => one - other));
        for (const handshake of all) handshake.end();
        clock.advance(10_000);
        expect([metrics.handshakesUnderWay, metrics.handshakesWaiting]).toEqual([0, 0]);
        expect(clock.timerCount).toBe(0);
        expect(states(Array.from({ length: concurrency }, () => queue.enter()))).toEqual(
          Array.from({ length: concurrency }, () => 'running'),
        );
      },
    ),
  );
});
