/**
 * `npx node --conditions=@holdfast/source bench/tasks.bench.ts [--tasks 3000] [--rounds 3]
 * [--parts throughput,latency,progress] [--targets postgres]`: tasks per second from request to
 * completion, beside BullMQ and pg-boss, the time until a waiting worker has a task, and progress to a
 * thousand watchers; of all targets, or of those whose name has the text in it.
 *
 * SQLite and PostgreSQL have everything on disk before it is acknowledged; Redis writes its file every
 * second, as BullMQ recommends. One process makes and does the work of all targets, and they take
 * turns in every round.
 *
 * @module
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createHub } from '@holdfast/hub';
import { openStore } from '@holdfast/store';
import { startPostgres } from '@holdfast/store/testing/postgres-server';
import { createTasks, taskModule, type Tasks, type TaskTables } from '@holdfast/tasks';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { PgBoss } from 'pg-boss';
import { startRedis } from '../conformance/redis-server.ts';
import { listen } from './targets/listen.ts';
import { figure, formatTable } from './report.ts';
import { median, percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    parts: { type: 'string', default: 'throughput,latency,progress' },
    targets: { type: 'string', default: '' },
  },
});
const count = Number(values.tasks);
const rounds = Number(values.rounds);
const parts: ReadonlySet<string> = new Set(values.parts.split(','));
const width = 32;
const workers = 100;
const watchers = 1000;

interface Target {
  readonly name: string;
  /** Requests `total` tasks, one by one and `width` at a time, and resolves when all are done. */
  run(total: number): Promise<void>;
  /** Milliseconds from each request until a worker has it, with {@link workers} that wait. */
  latencies(total: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Calls `make` so often, `width` at a time. */
async function produce(total: number, make: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < total) {
      const index = next;
      next += 1;
      await make(index);
    }
  };
  await Promise.all(Array.from({ length: width }, loop));
}

/** Counts to a number, again and again. */
class Goal {
  #left = 0;
  #reached = Promise.withResolvers<void>();

  set(total: number): Promise<void> {
    this.#left = total;
    this.#reached = Promise.withResolvers<void>();
    return this.#reached.promise;
  }

  count(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#reached.resolve();
  }
}

/** One request after the other, each when somebody has the one before. */
async function oneByOne(
  total: number,
  request: (index: number) => Promise<unknown>,
  taken: Map<number, (at: number) => void>,
): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let index = 0; index < total; index += 1) {
    const { promise, resolve } = Promise.withResolvers<number>();
    taken.set(index, resolve);
    const at = performance.now();
    await request(index);
    samples.push((await promise) - at);
    taken.delete(index);
  }
  return samples;
}

async function openHoldfast(name: string, url: string): Promise<Target> {
  const store = await openStore<TaskTables>({ url, modules: [taskModule] });
  store.outbox.start({ publish: () => Promise.resolve() });
  const kinds = { work: {}, wait: {} };
  const tasks = await createTasks({ store, kinds });
  const goal = new Goal();
  tasks.handle('work', () => Promise.resolve(), { concurrency: width });
  await tasks.start();
  return {
    name,
    async run(total) {
      const done = goal.set(total);
      const stop = onCompleted(tasks, () => goal.count());
      await produce(total, (index) => tasks.request({ kind: 'work', payload: { index } }));
      await done;
      stop();
    },
    async latencies(total) {
      const taken = new Map<number, (at: number) => void>();
      const ending = new AbortController();
      const wait = async (worker: string): Promise<void> => {
        while (!ending.signal.aborted) {
          const claim = { kinds: ['wait'], worker, waitMs: 30_000, signal: ending.signal };
          for (const task of await tasks.claim(claim)) {
            taken.get(task.payload as number)?.(performance.now());
            await tasks.complete(task);
          }
        }
      };
      const waiting = Array.from({ length: workers }, (_, index) => wait(`worker-${index}`));
      const samples = await oneByOne(
        total,
        (index) => tasks.request({ kind: 'wait', payload: index }),
        taken,
      );
      ending.abort();
      await Promise.all(waiting);
      return samples;
    },
    async close() {
      await tasks.close();
      await store.close();
    },
  };
}

/** Counts completions where they are counted anyway. */
function onCompleted(tasks: Tasks, count: () => void): () => void {
  const { metrics } = tasks;
  let before = metrics.completed;
  const look = setInterval(() => {
    for (; before < metrics.completed; before += 1) count();
  }, 1);
  return () => clearInterval(look);
}

function openBullMq(name: string, port: number): Target {
  const connection = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
  const queue = new Queue('work', { connection });
  const waiting = new Queue('wait', { connection });
  const goal = new Goal();
  const host = { host: '127.0.0.1', port };
  const worker = new Worker('work', () => Promise.resolve(), {
    connection: host,
    concurrency: width,
  });
  worker.on('completed', () => goal.count());
  return {
    name,
    async run(total) {
      const done = goal.set(total);
      await produce(total, (index) => queue.add('work', { index }));
      await done;
    },
    async latencies(total) {
      const taken = new Map<number, (at: number) => void>();
      const all = Array.from(
        { length: workers },
        () =>
          new Worker(
            'wait',
            (job) => {
              taken.get((job.data as { index: number }).index)?.(performance.now());
              return Promise.resolve();
            },
            { connection: host },
          ),
      );
      await Promise.all(all.map((one) => one.waitUntilReady()));
      const samples = await oneByOne(total, (index) => waiting.add('wait', { index }), taken);
      await Promise.all(all.map((one) => one.close(true)));
      return samples;
    },
    async close() {
      await worker.close();
      await queue.close();
      await waiting.close();
      connection.disconnect();
    },
  };
}

async function openPgBoss(name: string, url: string): Promise<Target> {
  const boss = new PgBoss({ connectionString: url, max: 10 });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue('work');
  await boss.createQueue('wait');
  const goal = new Goal();
  let ending = new AbortController();
  /** Its own workers ask every half a second; this asks as fast as it can. */
  const work = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const jobs = await boss.fetch('work', { batchSize: width });
      if (jobs.length > 0)
        await boss.complete(
          'work',
          jobs.map(({ id }) => id),
        );
      for (const _job of jobs) goal.count();
      if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    name,
    async run(total) {
      const done = goal.set(total);
      ending = new AbortController();
      const working = Promise.all([work(), work()]);
      await produce(total, (index) => boss.send('work', { index }));
      await done;
      ending.abort();
      await working;
    },
    async latencies(total) {
      const taken = new Map<number, (at: number) => void>();
      const options = { pollingIntervalSeconds: 0.5, localConcurrency: workers };
      await boss.work<{ index: number }>('wait', options, ([job]) => {
        if (job !== undefined) taken.get(job.data.index)?.(performance.now());
        return Promise.resolve();
      });
      const samples = await oneByOne(total, (index) => boss.send('wait', { index }), taken);
      await boss.offWork('wait');
      return samples;
    },
    async close() {
      await boss.stop({ graceful: false });
    },
  };
}

/** Progress of one task to everybody who watches it, through outbox and hub, as fast as it goes. */
async function progressToWatchers(name: string, url: string): Promise<readonly string[]> {
  const hub = createHub({
    channel: {
      withoutNamespace: { allowSubscribeForClient: true, historySize: 100, historyTtlMs: 60_000 },
    },
    client: { allowAnonymousConnectWithoutToken: true, insecure: true },
  });
  const server = createServer();
  hub.attach(server);
  const { port } = await listen(server);
  const store = await openStore<TaskTables>({ url, modules: [taskModule] });
  store.outbox.start({
    publish: (channel, data, options) => hub.publish(channel.replace(':', '-'), data, options),
  });
  const tasks = await createTasks({ store, kinds: { watched: {} } });
  const { id } = await tasks.request({ kind: 'watched' });
  const [lease] = await tasks.claim({ kinds: ['watched'], worker: 'w' });
  if (lease === undefined) throw new Error('nothing to claim');
  const child = fork(path.join(import.meta.dirname, 'processes/watchers.ts'), [
    String(port),
    `task-${id}`,
    String(watchers),
  ]);
  await once(child, 'message');
  const begin = performance.now();
  const endsAt = begin + Number(values.seconds) * 1000;
  let written = 0;
  while (performance.now() < endsAt) {
    await Promise.all(
      Array.from({ length: 4 }, () => tasks.progress(lease, { fraction: 0.5, message: 'on' })),
    );
    written += 4;
  }
  const [seconds, received] = await untilReceived(child, { begin, expected: written * watchers });
  child.kill();
  await tasks.close();
  await hub.shutdown({ timeoutMs: 1000 });
  server.closeAllConnections();
  server.close();
  await store.close();
  return [name, figure(written / seconds), figure(received / seconds)];
}

async function untilReceived(
  child: ReturnType<typeof fork>,
  { begin, expected }: { readonly begin: number; readonly expected: number },
): Promise<readonly [seconds: number, received: number]> {
  for (;;) {
    child.send('count');
    const [received] = (await once(child, 'message')) as [number];
    const seconds = (performance.now() - begin) / 1000;
    if (received >= expected) return [seconds, received];
    if (seconds > 120) throw new Error(`${received} of ${expected} events came`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isMeasured(name: string): boolean {
  return name.toLowerCase().includes(values.targets.toLowerCase());
}

async function measureThroughput(targets: readonly Target[]): Promise<void> {
  const perSecond = new Map<string, number[]>();
  for (let round = -1; round < rounds; round += 1) {
    for (const target of targets) {
      console.error(`${target.name}, round ${round} …`);
      const total = round < 0 ? Math.ceil(count / 10) : count;
      const begin = performance.now();
      await target.run(total);
      const rate = total / ((performance.now() - begin) / 1000);
      if (round < 0) continue;
      perSecond.set(target.name, [...(perSecond.get(target.name) ?? []), rate]);
    }
  }
  console.log(
    formatTable({
      title: `${count} tasks: request, claim, complete; ${width} requests and ${width} tasks at a time`,
      columns: ['', 'tasks/s', 'from', 'to'],
      rows: targets.map(({ name }) => {
        const rates = perSecond.get(name) ?? [];
        return [
          name,
          figure(median(rates)),
          figure(Math.min(...rates)),
          figure(Math.max(...rates)),
        ];
      }),
    }),
  );
}

async function measureLatency(targets: readonly Target[]): Promise<void> {
  const rows: (readonly string[])[] = [];
  for (const target of targets) {
    console.error(`${target.name}, latency …`);
    const total = target.name.startsWith('pg-boss') ? 50 : 500;
    const samples = await target.latencies(total);
    rows.push([target.name, figure(percentile(samples, 0.5)), figure(percentile(samples, 0.99))]);
  }
  console.log(
    formatTable({
      title: `From the request until one of ${workers} waiting workers has it`,
      columns: ['', 'p50 ms', 'p99 ms'],
      rows,
    }),
  );
}

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
const postgres = await startPostgres({ durable: true });
const redis = await startRedis();
const [before] = loadavg();
try {
  const watched: readonly (readonly [string, () => Promise<string>])[] = [
    ['SQLite', () => Promise.resolve(path.join(folder, 'watched.db'))],
    ['PostgreSQL', () => postgres.createDatabase('watched')],
  ];
  const all: readonly (readonly [string, (name: string) => Promise<Target>])[] = [
    ['Holdfast, SQLite', (name) => openHoldfast(name, path.join(folder, 'bench.db'))],
    [
      'Holdfast, PostgreSQL',
      async (name) => openHoldfast(name, await postgres.createDatabase('bench')),
    ],
    ['BullMQ, Redis', (name) => Promise.resolve(openBullMq(name, redis.port))],
    [
      'pg-boss, PostgreSQL',
      async (name) => openPgBoss(name, await postgres.createDatabase('boss')),
    ],
  ];
  const targets: Target[] = [];
  for (const [name, open] of all) if (isMeasured(name)) targets.push(await open(name));
  if (parts.has('throughput')) await measureThroughput(targets);
  if (parts.has('latency')) await measureLatency(targets);
  for (const target of targets) await target.close();
  if (parts.has('progress')) {
    const rows: (readonly string[])[] = [];
    for (const [name, url] of watched) {
      if (isMeasured(name)) rows.push(await progressToWatchers(name, await url()));
    }
    console.log(
      formatTable({
        title: `Progress of one task to ${watchers} watchers`,
        columns: ['', 'events/s', 'deliveries/s'],
        rows,
      }),
    );
  }
} finally {
  await redis[Symbol.asyncDispose]();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
const [after] = loadavg();
console.log(`load average ${before?.toFixed(2)} before, ${after?.toFixed(2)} after`);
