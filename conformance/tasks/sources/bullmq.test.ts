import path from 'node:path';
import { testBackends } from '@holdfast/store/testing';
import { bullMqSource } from '@holdfast/tasks/bullmq';
import { Queue, Worker, type Processor } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../../child.ts';
import { startRedis, type RedisServer } from '../../redis-server.ts';
import { startRunningTime } from '../../running-time.ts';
import { expectFollowing, expectTasks, follow } from './followed.ts';

const patience = { timeout: 60_000, interval: 50 };
const limits = { pollMs: 50, reconcileMs: 300 };
/** Of tests in which somebody falls silent; in the others a busy machine must not look like that. */
const shortLeaseMs = 2000;
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

let queues = 0;

/** A queue of its own, and what is needed to work on it. */
function openQueue(port = server.port) {
  const name = `queue ${(queues += 1)}`;
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const queue = new Queue(name, { connection: redis });
  queue.on('error', () => {});
  onTestFinished(async () => {
    await queue.close();
    redis.disconnect();
  });
  return {
    name,
    queue,
    redis,
    source: (leaseMs = 60_000) =>
      bullMqSource({ queue: name, connection: redis, leaseMs, ...limits }),
    work: (processor: Processor): Worker => {
      const connection = { host: '127.0.0.1', port };
      const worker = new Worker(name, processor, {
        connection,
        lockDuration: 60_000,
        stalledInterval: 500,
        concurrency: 20,
      });
      worker.on('error', () => {});
      onTestFinished(() => worker.close(true));
      return worker;
    },
  };
}

describe.each(testBackends)('jobs of BullMQ on $name', (backend) => {
  test('are tasks from the beginning to the end, whatever that is', async () => {
    await using database = await backend.create();
    const { queue, name, redis, work } = openQueue();
    const owner = (job: { data: { user?: string } }): string => job.data.user ?? '';
    await using followed = await follow(
      database.url,
      bullMqSource({ queue: name, connection: redis, owner, ...limits }),
    );
    const { tasks } = followed;
    await queue.add('good', { user: 'eve', n: 1 });
    await expectTasks(followed, [
      { status: 'waiting_for_worker', reason: 'no_worker_ever', owner: 'eve' },
    ]);
    const gate = Promise.withResolvers<void>();
    work(async (job) => {
      await job.updateProgress({ percent: 40, message: 'half-way' });
      if (job.name === 'bad') throw new Error(`no ${job.attemptsMade}`);
      await gate.promise;
      await job.updateProgress(30);
      return { done: job.data as object };
    });
    await expectTasks(followed, [
      { status: 'running', progress: 0.4, message: 'half-way', attempt: 1 },
    ]);
    const [running] = await tasks.list();
    await expect(tasks.cancel(running!.id)).rejects.toMatchObject({ code: 'task_followed' });
    gate.resolve();
    await expectTasks(followed, [{ status: 'completed', progress: 1 }]);
    expect(await tasks.get(running!.id)).toMatchObject({
      payload: { name: 'good', data: { n: 1 } },
      result: { done: { n: 1 } },
      source: `bullmq:${name}`,
    });
    await expect(tasks.retry(running!.id)).rejects.toMatchObject({ code: 'task_followed' });

    const bad = await queue.add('bad', {}, { attempts: 2, backoff: { type: 'fixed', delay: 300 } });
    await expectTasks(followed, [
      { status: 'completed' },
      { status: 'failed', reason: 'error', error: 'no 1', attempt: 2, maxAttempts: 2 },
    ]);
    // Once more, by hand: it is a new task, and the old one stays as it ended.
    await bad.retry();
    await expectTasks(followed, [{}, { status: 'failed' }, { status: 'failed', attempt: 3 }]);

    const removed = await queue.add('good', {}, { delay: 60_000 });
    await expectTasks(followed, [{}, {}, {}, { status: 'pending' }]);
    await removed.remove();
    await expectTasks(followed, [{}, {}, {}, { status: 'cancelled', reason: 'removed' }]);
    await queue.add('good', {}, { removeOnComplete: true });
    await expectTasks(followed, [{}, {}, {}, {}, { status: 'completed' }]);
  });

  test('a worker is killed: lost within its lease, retried when BullMQ notices, never stuck', async () => {
    await using database = await backend.create();
    const { queue, name, source, work } = openQueue();
    await using followed = await follow(database.url, source(shortLeaseMs));
    await queue.add('good', {});
    const script = path.join(import.meta.dirname, 'bullmq-worker.ts');
    const doomed = startChild(script, [String(server.port), name]);
    await doomed.waitFor(/^start/);
    await expectTasks(followed, [{ status: 'running' }]);
    await vi.waitFor(
      async () => expect(await followed.tasks.workers()).toMatchObject([{ isAlive: true }]),
      patience,
    );
    await doomed.kill();
    const sinceKill = await startRunningTime();
    // Nobody is left who could notice: the status does so by itself.
    await expectTasks(followed, [
      {
        status: expect.stringMatching(/retrying|waiting_for_worker/),
        error: expect.stringContaining('fell silent'),
      },
    ]);
    expect(sinceKill.elapsedMs).toBeLessThan(shortLeaseMs + 2000);
    work(() => Promise.resolve('second'));
    await expectTasks(followed, [{ status: 'completed', attempt: 2 }]);
    expect(await followed.changes()).toEqual([
      expect.stringMatching(/^pending started lost retrying( pending)? started completed$/),
    ]);
  });

  test('what happened while nobody followed is caught up with, each job once', async () => {
    await using database = await backend.create();
    const { queue, source, work } = openQueue();
    work(async (job) => {
      await job.updateProgress(50);
      if (job.name === 'bad') throw new Error('no');
      return job.id;
    });
    const add = (count: number) =>
      queue.addBulk(
        Array.from({ length: count }, (_, index) => ({
          name: index % 5 === 0 ? 'bad' : 'good',
          data: {},
          opts: { removeOnComplete: index % 2 === 0, removeOnFail: index % 2 === 0 },
        })),
      );
    const isDrained = () =>
      vi.waitFor(
        async () => expect(await queue.getJobCountByTypes('waiting', 'active')).toBe(0),
        patience,
      );
    for (let round = 0; round < 4; round += 1) {
      {
        await using followed = await follow(database.url, source());
        await expectFollowing(followed);
        await add(25);
        if (round === 0) await isDrained();
      }
      if (round > 0) await add(25);
      await isDrained();
    }
    await using followed = await follow(database.url, source());
    await vi.waitFor(
      async () =>
        expect(await followed.tasks.list({ phase: 'over', limit: 200 })).toHaveLength(175),
      patience,
    );
    const all = await followed.tasks.list({ limit: 200 });
    expect(all).toHaveLength(175);
    expect(all.filter(({ status }) => status === 'failed')).toHaveLength(35);
    expect(all.filter(({ status }) => status === 'completed')).toHaveLength(140);
    for (const changes of await followed.changes()) {
      expect(changes).toMatch(/^(pending )?(started )?(progress )?(completed|failed)$/);
    }
  });
});

const [sqlite, postgres] = testBackends;

test('connections to Redis are one, whatever the number of queues, jobs and restarts', async () => {
  await using database = await sqlite!.create();
  const { redis, queue, work } = openQueue();
  const connections = async (): Promise<number> =>
    String(await redis.client('LIST'))
      .trim()
      .split('\n').length;
  await redis.ping();
  const before = await connections();
  const names = [queue.name, ...Array.from({ length: 9 }, (_, index) => `other ${index}`)];
  const sources = () =>
    names.map((name) => bullMqSource({ queue: name, connection: redis, ...limits }));
  for (let round = 0; round < 5; round += 1) {
    await using followed = await follow(database.url, ...sources());
    await queue.addBulk(Array.from({ length: 50 }, () => ({ name: 'good', data: {} })));
    await vi.waitFor(
      async () =>
        expect(await followed.tasks.list({ limit: 200 })).toHaveLength(
          Math.min(50 * (round + 1), 200),
        ),
      patience,
    );
    expect(await connections()).toBe(before);
  }
  const worker = work(() => Promise.resolve());
  await worker.waitUntilReady();
  await using followed = await follow(database.url, ...sources());
  await vi.waitFor(
    async () => expect(await followed.tasks.list({ phase: 'live' })).toHaveLength(0),
    patience,
  );
});

test('Redis is away: the tasks say so by themselves, health says why, and all of it ends', async () => {
  await using database = await sqlite!.create();
  await using own = await startRedis();
  const { queue, source, work } = openQueue(own.port);
  await using followed = await follow(database.url, source(shortLeaseMs));
  const gate = Promise.withResolvers<void>();
  work(() => gate.promise);
  await queue.add('good', {});
  await expectTasks(followed, [{ status: 'running' }]);
  await own.kill();
  await vi.waitFor(
    () => expect(followed.tasks.problems().join()).toMatch(/bullmq:queue \d+ cannot be read since/),
    patience,
  );
  await vi.waitFor(
    async () => expect((await followed.tasks.list())[0]?.status).not.toBe('running'),
    patience,
  );
  await own.start();
  gate.resolve();
  await expectTasks(followed, [{ status: 'completed' }]);
  await vi.waitFor(() => expect(followed.tasks.problems()).toEqual([]), patience);
});

test('two nodes: one follows, and when it ends the other goes on', async () => {
  await using database = await postgres!.create();
  const { queue, source, work } = openQueue();
  const first = await follow(database.url, source());
  await using second = await follow(database.url, source());
  work((job) => Promise.resolve(job.id));
  await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'good', data: {} })));
  await vi.waitFor(
    async () => expect(await second.tasks.list({ phase: 'over' })).toHaveLength(20),
    patience,
  );
  await first[Symbol.asyncDispose]();
  await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'good', data: {} })));
  await vi.waitFor(
    async () => expect(await second.tasks.list({ phase: 'over' })).toHaveLength(40),
    patience,
  );
  expect(await second.tasks.list({ limit: 200 })).toHaveLength(40);
  for (const changes of await second.changes()) {
    expect(changes.match(/completed/g)).toHaveLength(1);
  }
});
