import { openStore, type Store } from '@holdfast/store';
import { startPostgres, testBackends, type PostgresServer } from '@holdfast/store/testing';
import { expect, test, vi } from 'vitest';
import { TcpRelay } from '../network/tcp-relay.ts';
import { journalModule, type JournalTables } from './journal.ts';
import { Load, writePair } from './load.ts';
import { expectPublished, expectWhole, patience, Witness } from './witness.ts';

const timeouts = { statementTimeoutMs: 600, connectTimeoutMs: 400 };

function open(url: string): Promise<Store<JournalTables>> {
  return openStore<JournalTables>({ url, modules: [journalModule], postgres: timeouts });
}

/** The URL of a database at another address. */
function at(url: string, address: string): string {
  return url.replace(/127\.0\.0\.1:\d+/, address);
}

const promote = (standby: PostgresServer) => standby.execute('select pg_promote()');

test('the primary dies under load and its standby takes over: nothing acknowledged is lost, nothing doubled', async () => {
  await using primary = await startPostgres();
  await using standby = await primary.startStandby();
  const url = await primary.createDatabase('app');
  // One finds it at an address that moves, the other knows both servers.
  await using address = await TcpRelay.start(primary.port);
  await using first = await open(at(url, `127.0.0.1:${address.port}`));
  await using second = await open(at(url, `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`));
  const witness = new Witness();
  for (const store of [first, second]) store.outbox.start({ publish: witness.publish });

  // Told not to wait for the standby any more, the server commits, and only remarks who has it.
  await standby.crash();
  const alone = writePair(first, { id: first.ids.next(), writer: 'alone', number: 1 });
  await Promise.all([
    expect(alone).rejects.toMatchObject({ code: 'store_commit_unknown', retryable: true }),
    vi.waitFor(async () => {
      const waiting = await primary.execute(
        `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`,
      );
      expect(waiting).not.toEqual([]);
    }, patience),
  ]);
  await standby.start();

  await using load = new Load(first, witness);
  await using otherLoad = new Load(second, witness);
  const allGoOn = () => Promise.all([load.goesOn(), otherLoad.goesOn()]);
  await allGoOn();

  await primary.kill();
  await vi.waitFor(() => {
    for (const store of [first, second])
      expect(store.problem()?.message).toMatch(/store_unreachable/);
  }, patience);
  await promote(standby);
  address.target = standby.port;
  await allGoOn();
  await vi.waitFor(() => {
    expect([first.problem(), second.problem()]).toEqual([undefined, undefined]);
    expect([first, second].filter((store) => store.isLeader())).toHaveLength(1);
  }, patience);
  await Promise.all([load.stop(), otherLoad.stop()]);
  await expectPublished(first, witness);
  for (const store of [first, second]) {
    await expectWhole(store, witness);
    expect(store.metrics.connections).toBeLessThanOrEqual(6);
  }
});

test('the old primary stays up and read-only, and no connection breaks: all are made anew', async () => {
  await using primary = await startPostgres();
  await using standby = await primary.startStandby();
  const url = await primary.createDatabase('app');
  await using address = await TcpRelay.start(primary.port);
  await using store = await open(at(url, `127.0.0.1:${address.port}`));
  const witness = new Witness();
  store.outbox.start({ publish: witness.publish });
  await using load = new Load(store, witness);
  await load.goesOn();

  await primary.execute('alter system set default_transaction_read_only = on');
  await primary.execute('select pg_reload_conf()');
  // The address still leads to it.
  await vi.waitFor(() => expect(store.problem()?.message).toMatch(/read-only/), patience);
  await promote(standby);
  address.target = standby.port;
  await load.goesOn();
  await vi.waitFor(() => expect(store.isLeader()).toBe(true), patience);
  await load.stop();
  await expectPublished(store, witness);
  await expectWhole(store, witness);
  // The connection that leads looks every second; it may have been the last to notice.
  await vi.waitFor(() => expect(store.problem()).toBeUndefined(), patience);
  // Whoever has waited for longer than `maxWaitMs` was told, and nobody else noticed.
  expect(new Set([...load.codes.keys(), 'store_unreachable'])).toEqual(
    new Set(['store_unreachable']),
  );
  await vi.waitFor(async () => {
    // An idle connection is found when it is taken up.
    await Promise.all(Array.from({ length: 5 }, () => store.ping()));
    const left = await primary.execute(
      `select pid from pg_stat_activity where application_name = 'holdfast'`,
    );
    expect(left).toEqual([]);
  }, patience);
});

test('a server that takes connections and never answers: every wait ends, and says that it may be repeated', async () => {
  await using database = await testBackends[1]!.create();
  await using address = await TcpRelay.start(Number(new URL(database.url).port));
  await using store = await openStore<JournalTables>({
    url: at(database.url, `127.0.0.1:${address.port}`),
    modules: [journalModule],
    transactionTimeoutMs: 300,
    maxWaitMs: 300,
    postgres: { statementTimeoutMs: 300, connectTimeoutMs: 300 },
  });
  store.outbox.start({ publish: () => Promise.resolve() });
  await vi.waitFor(() => expect(store.isLeader()).toBe(true), patience);
  const read = (): Promise<unknown> =>
    store.read((db) => db.selectFrom('entries').selectAll().execute());
  address.mode = 'silent';
  const startedAt = performance.now();
  for (let round = 0; round < 2; round += 1) {
    const results = await Promise.allSettled(Array.from({ length: 8 }, read));
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { retryable: true } });
    }
  }
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  await vi.waitFor(() => expect(store.isLeader()).toBe(false), patience);
  expect(store.problem()?.message).toMatch(/PostgreSQL 127\.0\.0\.1:\d+\/\w+ cannot be reached/);
  address.mode = 'open';
  await vi.waitFor(read, patience);
  await vi.waitFor(() => expect(store.isLeader()).toBe(true), patience);
  expect(store.problem()).toBeUndefined();
});

test('a leader of which PostgreSQL hears nothing more is replaced, and has found itself none before', async () => {
  await using database = await testBackends[1]!.create();
  await using address = await TcpRelay.start(Number(new URL(database.url).port));
  const candidate = (url: string): Promise<Store<JournalTables>> =>
    openStore<JournalTables>({
      url,
      modules: [journalModule],
      postgres: { leaderTimeoutMs: 2000 },
    });
  await using first = await candidate(at(database.url, `127.0.0.1:${address.port}`));
  await using second = await candidate(database.url);
  const publishedBy: string[] = [];
  const start = (store: Store<JournalTables>, name: string): void =>
    store.outbox.start({
      publish: () => {
        publishedBy.push(name);
        return Promise.resolve();
      },
    });
  start(first, 'first');
  await vi.waitFor(() => expect(first.isLeader()).toBe(true), patience);
  start(second, 'second');
  // Its connections stay open on both sides, as those of a process that hangs or is stopped.
  address.mode = 'silent';
  await vi.waitFor(() => expect(second.isLeader()).toBe(true), patience);
  expect(first.isLeader()).toBe(false);
  await writePair(second, { id: second.ids.next(), writer: 'alone', number: 1 });
  await vi.waitFor(() => expect(publishedBy).not.toEqual([]), patience);
  expect(new Set(publishedBy)).toEqual(new Set(['second']));
  address.mode = 'open';
  await vi.waitFor(() => expect(first.problem()).toBeUndefined(), patience);
  expect([first.isLeader(), second.isLeader()]).toEqual([false, true]);
});
