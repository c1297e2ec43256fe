/**
 * `npx node --conditions=@holdfast/source bench/inbox.bench.ts [--stored 1000000]
 * [--targets SQLite,PostgreSQL]`: what durable notifications cost, on SQLite and on PostgreSQL with everything on disk before it is acknowledged.
 *
 * One process does everything, so the latencies contain the load generator's own work; "published" is
 * the moment at which the broker port is called, after the commit.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createInbox, inboxModule, type Inbox } from '@holdfast/inbox';
import { openStore, type Store } from '@holdfast/store';
import { startPostgres } from '@holdfast/store/testing/postgres-server';
import { figure, formatTable } from './report.ts';
import { percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    stored: { type: 'string', default: '1000000' },
    targets: { type: 'string', default: 'SQLite,PostgreSQL' },
  },
});
const stored = Number(values.stored);
const perUser = 200;

interface Bench {
  readonly name: string;
  readonly store: Store;
  readonly inbox: Inbox;
  /** When each title was handed to the broker. */
  readonly publishedAt: Map<string, number>;
}

async function open(name: string, url: string): Promise<Bench> {
  const store = await openStore({ url, modules: [inboxModule] });
  const publishedAt = new Map<string, number>();
  store.outbox.start({
    publish: (_channel, data) => {
      const title = /"title":"([^"]*)"/.exec(Buffer.from(data).toString())?.[1];
      if (title !== undefined) publishedAt.set(title, performance.now());
      return Promise.resolve();
    },
  });
  const position = () => Promise.resolve({ offset: 0, epoch: '' });
  return { name, store, inbox: createInbox({ store, position }), publishedAt };
}

/** Sends `count` notifications to as many users, `width` at a time. */
async function sends(bench: Bench, count: number, width: number): Promise<readonly string[]> {
  const acknowledgedMs: number[] = [];
  const startedAt = new Map<string, number>();
  let next = 0;
  const begin = performance.now();
  const loop = async (): Promise<void> => {
    while (next < count) {
      const title = `${width} at once, ${next}`;
      const user = `sender-${next}`;
      next += 1;
      const at = performance.now();
      startedAt.set(title, at);
      await bench.inbox.send({ to: { user }, category: 'bench', title });
      acknowledgedMs.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: width }, loop));
  const seconds = (performance.now() - begin) / 1000;
  while ([...startedAt.keys()].some((title) => !bench.publishedAt.has(title))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const publishedMs = [...startedAt].map(
    ([title, at]) => (bench.publishedAt.get(title) ?? Number.NaN) - at,
  );
  return [
    `${bench.name}, ${width} at once`,
    figure(count / seconds),
    figure(percentile(acknowledgedMs, 0.5)),
    figure(percentile(acknowledgedMs, 0.99)),
    figure(percentile(publishedMs, 0.5)),
    figure(percentile(publishedMs, 0.99)),
  ];
}

/** Has `count` users mark what they were sent as read, `width` at a time. */
async function changes(bench: Bench, count: number, width: number): Promise<readonly string[]> {
  const wanted: { readonly user: string; readonly ids: readonly string[] }[] = [];
  for (let index = 0; index < count; index += 1) {
    const user = `sender-${index}`;
    const { items } = await bench.inbox.list(user, { limit: 1, status: 'unread' });
    wanted.push({ user, ids: items.map(({ id }) => id) });
  }
  const acknowledgedMs: number[] = [];
  const begin = performance.now();
  const loop = async (): Promise<void> => {
    for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
      const at = performance.now();
      const { changed } = await bench.inbox.markRead(next.user, next.ids);
      if (changed.length !== 1) throw new Error(`${changed.length} were marked as read, not 1`);
      acknowledgedMs.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: width }, loop));
  const seconds = (performance.now() - begin) / 1000;
  return [
    `${bench.name}, ${width} at once`,
    figure(count / seconds),
    figure(percentile(acknowledgedMs, 0.5)),
    figure(percentile(acknowledgedMs, 0.99)),
  ];
}

/** One send to a list of users. */
async function sendToList(bench: Bench, users: number): Promise<readonly string[]> {
  const begin = performance.now();
  const list = (function* (): Generator<string> {
    for (let index = 0; index < users; index += 1) yield `list-${index}`;
  })();
  const { id } = await bench.inbox.send({ to: { users: list }, category: 'bench', title: 'list' });
  while ((await bench.inbox.sendStatus(id)).state !== 'done') {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const seconds = (performance.now() - begin) / 1000;
  return [`${bench.name}, ${users} users`, figure(users / seconds), figure(seconds)];
}

/** Fills the inboxes of users who are not measured otherwise. Nothing of it is read. */
async function fill({ store, inbox }: Bench): Promise<void> {
  const users = Math.ceil(stored / perUser);
  const [category, title, body] = ['bench', 'stored', 'x'.repeat(100)];
  for (let round = 0; round < perUser; round += 1) {
    for (let start = 0; start < users; start += 500) {
      const length = Math.min(500, users - start);
      await inbox.send({
        to: { users: Array.from({ length }, (_, index) => `user-${start + index}`) },
        category,
        title,
        body,
      });
    }
    if (round % 20 === 0) console.error(`  ${round * users} stored`);
  }
  while (store.metrics.outbox.published < store.metrics.outbox.appended) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function reads(bench: Bench): Promise<readonly (readonly string[])[]> {
  const users = Math.ceil(stored / perUser);
  const operations: Readonly<Record<string, (user: string) => Promise<unknown>>> = {
    'first page of 20': (user) => bench.inbox.list(user),
    'unread counts': (user) => bench.inbox.counts(user),
    snapshot: (user) => bench.inbox.snapshot(user),
    'mark all as read': (user) => bench.inbox.readAll(user),
  };
  const rows: (readonly string[])[] = [];
  for (const [name, operation] of Object.entries(operations)) {
    const samples: number[] = [];
    for (let index = 0; index < 1000; index += 1) {
      const at = performance.now();
      await operation(`user-${(index * 7919) % users}`);
      samples.push(performance.now() - at);
    }
    const p50 = figure(percentile(samples, 0.5));
    rows.push([`${bench.name}, ${name}`, p50, figure(percentile(samples, 0.99))]);
  }
  return rows;
}

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
const postgres = await startPostgres({ durable: true });
const [before] = loadavg();
try {
  const targets: Readonly<Record<string, () => Promise<string>>> = {
    SQLite: () => Promise.resolve(path.join(folder, 'bench.db')),
    PostgreSQL: () => postgres.createDatabase('bench'),
  };
  for (const name of values.targets.split(',')) {
    const url = targets[name];
    if (url === undefined) throw new Error(`no target is called ${name}`);
    const bench = await open(name, await url());
    console.error(`${name} …`);
    await sends(bench, 200, 8);
    bench.publishedAt.clear();
    const sent = [await sends(bench, 1000, 1), await sends(bench, 5000, 32)];
    console.log(
      formatTable({
        title: `Sends to one user each, ${name}`,
        columns: ['', 'sends/s', 'ack p50 ms', 'p99', 'published p50 ms', 'p99'],
        rows: sent,
      }),
    );
    console.log(
      formatTable({
        title: `Changes by one user each, ${name}`,
        columns: ['', 'changes/s', 'ack p50 ms', 'p99'],
        rows: [await changes(bench, 500, 1), await changes(bench, 4500, 32)],
      }),
    );
    console.log(
      formatTable({
        title: `One send to a list, ${name}`,
        columns: ['', 'users/s', 'seconds'],
        rows: [await sendToList(bench, 20_000)],
      }),
    );
    await fill(bench);
    console.log(
      formatTable({
        title: `One at a time with ${figure(stored)} stored, ${name}`,
        columns: ['', 'p50 ms', 'p99'],
        rows: await reads(bench),
      }),
    );
    await bench.inbox.close();
    await bench.store.close();
  }
} finally {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
const [after] = loadavg();
console.log(`load average ${before?.toFixed(2)} before, ${after?.toFixed(2)} after`);
