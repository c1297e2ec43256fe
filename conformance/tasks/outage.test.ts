import { setTimeout } from 'node:timers/promises';
import { startPostgres } from '@holdfast/store/testing';
import { expect, test, vi } from 'vitest';
import { startRunningTime } from '../running-time.ts';
import { leaseMs } from './kinds.ts';
import { patience, startNode, watch } from './watcher.ts';

const outageMs = 30_000;

test('PostgreSQL is away for 30 s: long leases go on, short ones are lost, told and retried', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('outage');
  await using watcher = await watch(url);
  const { tasks } = watcher;
  await using node = await startNode(url, 'node', '0', 'hold,steady,echo,publish');
  const short = await tasks.request({ kind: 'hold' });
  const long = await tasks.request({ kind: 'steady' });
  await node.waitFor(new RegExp(`^start ${short.id} 1$`));
  await node.waitFor(new RegExp(`^start ${long.id} 1$`));
  await server.crash();
  const crashedAt = performance.now();
  const sinceCrash = await startRunningTime();
  // It cannot know whether it still has its lease, so it stops before anybody else can begin.
  await node.waitFor(new RegExp(`^stop ${short.id} lease_lost$`));
  expect(sinceCrash.elapsedMs).toBeLessThan(leaseMs + 1500);
  await setTimeout(outageMs - (performance.now() - crashedAt));
  await server.start();
  await node.waitFor(new RegExp(`^start ${short.id} 2$`));
  // Where PostgreSQL is slow to begin with, even another one.
  await vi.waitFor(async () => {
    const { status, attempt } = await tasks.get(short.id);
    expect([status, attempt > 1]).toEqual(['running', true]);
  }, patience);
  expect(await tasks.get(long.id)).toMatchObject({ status: 'running', attempt: 1 });
  const echo = await tasks.request({ kind: 'echo', payload: 1 });
  await vi.waitFor(
    async () => expect(await tasks.get(echo.id)).toMatchObject({ status: 'completed' }),
    patience,
  );
  expect(node.process.exitCode).toBeNull();
  // Either process may have become the leader, and published it.
  await vi.waitFor(() => {
    const here = watcher.published.filter(
      ({ channel, data }) => channel === `task:${echo.id}` && data.changes?.includes('completed'),
    );
    const there = node.lines.filter(
      (line) => line.startsWith(`published task:${echo.id} `) && line.includes('completed'),
    );
    expect([...here, ...there]).toHaveLength(1);
  }, patience);
});
