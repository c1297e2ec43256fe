import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { startRunningTime } from '../running-time.ts';
import { leaseMs } from './kinds.ts';
import { patience, startNode, watch } from './watcher.ts';

const [, postgres] = testBackends;

describe('two processes on PostgreSQL', () => {
  test('a worker is killed in the middle: retrying is on screen within lease + 1 s, and another goes on', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url);
    const { tasks, published } = watcher;
    const first = await startNode(database.url, 'first', '0', 'hold');
    const { id } = await tasks.request({ kind: 'hold' });
    await first.waitFor(/^start/);
    const sinceKill = await startRunningTime();
    await first.kill();
    await vi.waitFor(
      () =>
        expect(
          published.some(
            ({ channel, data }) => channel === `task:${id}` && data.changes?.includes('retrying'),
          ),
        ).toBe(true),
      patience,
    );
    expect(sinceKill.elapsedMs).toBeLessThan(leaseMs + 1000);
    await using second = await startNode(database.url, 'second', '0', 'hold');
    await second.waitFor(/^start .* 2$/);
    await vi.waitFor(async () => {
      const { status, attempt } = await tasks.get(id);
      expect([status, attempt > 1]).toEqual(['running', true]);
    }, patience);
    await tasks.cancel(id);
    await second.waitFor(/^stop .* cancelled$/);
    await vi.waitFor(async () => expect((await tasks.get(id)).isOver).toBe(true), patience);
  });

  test('a worker is stopped for twice the lease: it is told, and what it writes is refused', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url);
    const { tasks } = watcher;
    await using zombie = await startNode(database.url, 'zombie', '0', 'hold');
    const { id } = await tasks.request({ kind: 'hold' });
    await zombie.waitFor(/^start/);
    zombie.process.kill('SIGSTOP');
    await using other = await startNode(database.url, 'other', '0', 'hold');
    const stoppedAt = performance.now();
    await other.waitFor(/^start .* 2$/);
    await vi.waitFor(
      () => expect(performance.now() - stoppedAt).toBeGreaterThan(2 * leaseMs),
      patience,
    );
    zombie.process.kill('SIGCONT');
    await zombie.waitFor(new RegExp(`^stop ${id} lease_lost$`));
    await zombie.waitFor(new RegExp(`^wrote ${id} task_fenced$`));
    await vi.waitFor(async () => {
      const { status, attempt, result } = await tasks.get(id);
      expect([status, attempt > 1, result]).toEqual(['running', true, null]);
    }, patience);
  });

  test('children that finish in the same instant on two processes end their parent once', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url);
    const { tasks, published } = watcher;
    await using one = await startNode(database.url, 'one', '0', 'leaf');
    await using two = await startNode(database.url, 'two', '0', 'leaf');
    const batch = await tasks.batch(Array.from({ length: 24 }, () => ({ kind: 'leaf' })));
    await vi.waitFor(async () => {
      const children = await Promise.all(batch.children.map(({ id }) => tasks.get(id)));
      expect(new Set(children.map(({ status }) => status))).toEqual(new Set(['running']));
    }, patience);
    const at = Date.now() + 300;
    for (const { process } of [one, two]) process.stdin?.write(`${at}\n`);
    await vi.waitFor(
      async () => expect(await tasks.get(batch.id)).toMatchObject({ status: 'completed' }),
      patience,
    );
    const results = await Promise.all(batch.children.map(({ id }) => tasks.get(id)));
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(['one', 'two']));
    expect([one, two].every(({ process }) => process.exitCode === null)).toBe(true);
    await vi.waitFor(() => {
      const ends = published.filter(
        ({ channel, data }) =>
          channel === `task:${batch.id}` && data.changes?.includes('completed'),
      );
      expect(ends).toHaveLength(1);
    }, patience);
  });

  test('clocks that differ by a minute change nothing', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url);
    const { tasks } = watcher;
    await using ahead = await startNode(database.url, 'ahead', '60000', 'calm');
    await using behind = await startNode(database.url, 'behind', '-60000', 'echo');
    const held = await tasks.request({ kind: 'calm' });
    await ahead.waitFor(/^start/);
    const since = performance.now();
    await vi.waitFor(async () => {
      expect(await tasks.get(held.id)).toMatchObject({ status: 'running', attempt: 1 });
      expect(performance.now() - since).toBeGreaterThan(2 * leaseMs);
    }, patience);
    const echo = await tasks.request({ kind: 'echo', payload: 1 });
    await vi.waitFor(
      async () => expect(await tasks.get(echo.id)).toMatchObject({ result: ['behind', 1] }),
      patience,
    );
    expect(behind.process.exitCode).toBeNull();
    expect(await tasks.get(held.id)).toMatchObject({ status: 'running', attempt: 1 });
  });

  test('a handler that blocks its process beyond its lease: another goes on, and it is told', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url);
    await using first = await startNode(database.url, 'first', '0', 'block');
    const { id } = await watcher.tasks.request({ kind: 'block', payload: 3 * leaseMs });
    await first.waitFor(/^start .* 1$/);
    await using other = await startNode(database.url, 'other', '0', 'block');
    await other.waitFor(/^start .* 2$/);
    expect(first.lines).not.toContain(`yields ${id}`);
    await first.waitFor(new RegExp(`^stop ${id} lease_lost$`));
    expect(await watcher.tasks.get(id)).toMatchObject({ status: 'completed', result: 'other' });
  });

  test('sweepers race workers that finish when their lease ends: each ends once', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url, { sweepMs: 10 });
    await using one = await startNode(database.url, 'one', '0', 'brink');
    await using two = await startNode(database.url, 'two', '0', 'brink');
    const total = 40;
    // Most end close to the end of the lease; the first so early that a slow machine is in time as well.
    const beforeMs = (index: number): number => (leaseMs - 100) * (1 - index / 30) ** 3;
    const batch = await watcher.tasks.batch(
      Array.from({ length: total }, (_, index) => ({
        kind: 'brink',
        payload: index < 30 ? -beforeMs(index) : 10 * (index - 30),
      })),
    );
    await vi.waitFor(
      async () =>
        expect(await watcher.tasks.get(batch.id)).toMatchObject({
          status: 'completed',
          children: { total, open: 0, failed: 0 },
        }),
      patience,
    );
    const ends = (): readonly string[] =>
      watcher.published
        .filter(({ data }) => data.changes?.includes('completed'))
        .map(({ channel }) => channel);
    await vi.waitFor(() => expect(new Set(ends()).size).toBe(total + 1), patience);
    expect(ends()).toHaveLength(total + 1);
    const attempts = await Promise.all(
      batch.children.map(async ({ id }) => (await watcher.tasks.get(id)).attempt),
    );
    // Both sides won somewhere; otherwise this was no race.
    expect(attempts).toContain(1);
    expect(attempts.some((attempt) => attempt > 1)).toBe(true);
    expect([one, two].every(({ process }) => process.exitCode === null)).toBe(true);
  });

  test('requests during a run: one follow-up, and it runs once', async () => {
    await using database = await postgres!.create();
    await using watcher = await watch(database.url);
    const { tasks } = watcher;
    await using node = await startNode(database.url, 'node', '0', 'joined');
    const first = await tasks.request({ kind: 'joined' });
    await node.waitFor(new RegExp(`^start ${first.id} 1$`));
    const second = await tasks.request({ kind: 'joined', payload: 1 });
    const third = await tasks.request({ kind: 'joined', payload: 2 });
    expect([first, second, third].map(({ outcome }) => outcome)).toEqual([
      'started',
      'queued',
      'joined',
    ]);
    expect(third.id).toBe(second.id);
    await tasks.cancel(first.id);
    await node.waitFor(new RegExp(`^start ${second.id} 1$`));
    expect(await tasks.get(second.id)).toMatchObject({ payload: 2, status: 'running' });
    await tasks.cancel(second.id);
    await vi.waitFor(
      async () => expect(await tasks.list({ phase: 'live' })).toHaveLength(0),
      patience,
    );
    expect(node.lines.filter((line) => line.startsWith('start'))).toHaveLength(2);
  });
});
