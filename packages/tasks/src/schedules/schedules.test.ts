import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import { createTasks } from '../tasks.ts';
import { codeOf, openBench } from '../testing/bench.ts';
import { nextTick } from './schedule-rule.ts';

const everyMs = 60_000;

test.each([
  ['nonsense', { cron: 'every tuesday' }],
  ['an impossible date', { cron: '0 0 30 2 *' }],
  ['a wrong range', { cron: '61 * * * *' }],
  ['no time zone', { cron: '* * * * *', timeZone: 'Mars/Olympus' }],
  ['both', { cron: '* * * * *', everyMs }],
  ['neither', {}],
  ['too often', { everyMs: 10 }],
  ['a jitter that is not a number', { everyMs, jitterMs: Number.NaN }],
])('%s is refused with a reason', async (_name, rule) => {
  await using database = await testBackends[0]!.create();
  await using bench = await openBench(database);
  const defined = bench.tasks.schedules.define('x', { kind: 'plain', ...rule });
  expect(await codeOf(defined)).toBe('schedule_invalid');
  expect(await bench.tasks.schedules.list()).toEqual([]);
});

test('a tick in the gap of a change of clocks comes once, and one in the doubled hour once', () => {
  const rule = { kind: 'plain', cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
  const ticks = (from: string, count: number): readonly string[] => {
    let at = Date.parse(from);
    return Array.from({ length: count }, () => {
      at = nextTick(rule, at) ?? Number.NaN;
      return new Date(at).toISOString();
    });
  };
  const spring = ticks('2026-03-28T12:00:00Z', 2);
  expect(spring[0]).toMatch(/^2026-03-29T01:/);
  expect(spring[1]).toBe('2026-03-30T00:30:00.000Z');
  const autumn = ticks('2026-10-24T12:00:00Z', 2);
  expect(autumn[0]).toMatch(/^2026-10-25T0[01]:30/);
  expect(autumn[1]).toBe('2026-10-26T01:30:00.000Z');
});

describe.each(testBackends)('schedules on $name', (backend) => {
  test('two nodes handle each tick once, and record it', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock, store } = bench;
    const other = await createTasks({ store, kinds: { plain: {} }, now: () => clock.now() });
    await tasks.schedules.define('s', { kind: 'plain', payload: 7, everyMs });
    await other.schedules.define('s', { kind: 'plain', payload: 7, everyMs });
    for (let tick = 1; tick <= 3; tick += 1) {
      clock.advance(everyMs);
      await Promise.all([tasks, other, tasks, other].map((node) => node.schedules.tick()));
      const task = await bench.claimOne('plain');
      expect(task).toMatchObject({ payload: 7, schedule: 's' });
      clock.advance(1000);
      await tasks.complete(task);
      expect(await tasks.claim({ kinds: ['plain'], worker: 'w' })).toEqual([]);
    }
    const runs = await tasks.schedules.runs('s');
    expect(runs).toHaveLength(3);
    expect(runs[0]).toMatchObject({
      trigger: 'tick',
      outcome: 'requested',
      durationMs: 1000,
      task: { status: 'completed' },
    });
  });

  test('disabled is paused and listed; pauses and edits survive; run now changes neither', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { schedules } = tasks;
    const rule = { kind: 'plain', cron: '0 12 * * *', enabled: false };
    await schedules.define('s', rule);
    expect(await schedules.list()).toMatchObject([{ name: 's', isPaused: true, nextAt: null }]);
    expect(await schedules.runNow('s')).toMatchObject({ trigger: 'manual', outcome: 'requested' });
    expect(await schedules.get('s')).toMatchObject({ isPaused: true, nextAt: null, edited: [] });
    await schedules.resume('s');
    await schedules.edit('s', { everyMs, overlap: 'allow' });
    // The program starts again, and says the same.
    await schedules.define('s', rule);
    const view = await schedules.get('s');
    expect(view).toMatchObject({ isPaused: false, rule: { everyMs, overlap: 'allow' } });
    expect(view.rule.cron).toBeUndefined();
    await schedules.pause('s');
    await schedules.define('s', { ...rule, enabled: true });
    expect((await schedules.get('s')).isPaused).toBe(true);
    clock.advance(10 * everyMs);
    expect(await schedules.tick()).toBe(0);
    expect(await codeOf(schedules.pause('no'))).toBe('schedule_not_found');
    expect(await codeOf(schedules.runNow('no'))).toBe('schedule_not_found');
    expect(await codeOf(schedules.edit('s', { everyMs: 1 }))).toBe('schedule_invalid');
  });

  test('a run that goes on: none, one that waits, or both', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    for (const overlap of ['skip', 'queue', 'allow'] as const) {
      await tasks.schedules.define(overlap, { kind: 'plain', everyMs, overlap });
    }
    const status = async (name: string): Promise<readonly unknown[]> =>
      (await tasks.schedules.runs(name)).map(({ outcome, task }) => task?.status ?? outcome);
    clock.advance(everyMs);
    await tasks.schedules.tick();
    const leases = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 3 });
    for (let beat = 0; beat < 3; beat += 1) {
      clock.advance(20_000);
      for (const lease of leases) await tasks.heartbeat(lease);
    }
    await tasks.schedules.tick();
    expect(await status('skip')).toEqual(['skipped', 'running']);
    expect(await status('queue')).toEqual(['queued', 'running']);
    expect((await status('allow')).length).toBe(2);
    expect((await tasks.schedules.runs('allow'))[0]).toMatchObject({ outcome: 'requested' });
  });

  test('what was missed is recorded, and made up for once or not', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    await tasks.schedules.define('once', { kind: 'plain', everyMs: 3_600_000 });
    await tasks.schedules.define('skip', { kind: 'plain', everyMs: 3_600_000, missed: 'skip' });
    clock.set(Math.ceil(clock.now() / 3_600_000) * 3_600_000 + 5 * 3_600_000 + 600_000);
    expect(await tasks.schedules.tick()).toBe(2);
    expect(await tasks.schedules.tick()).toBe(0);
    expect((await tasks.schedules.runs('once')).map(({ outcome }) => outcome)).toEqual([
      'requested',
      'missed',
    ]);
    expect((await tasks.schedules.runs('skip')).map(({ outcome }) => outcome)).toEqual([
      'missed',
      'missed',
    ]);
    expect(await tasks.list({ schedule: 'skip' })).toEqual([]);
  });
});
