import Database from 'better-sqlite3';
import { testBackends } from '@holdfast/store/testing';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { examineForeignTable } from './foreign-doctor.ts';
import { codeOf, openBench } from './testing/bench.ts';

describe.each(testBackends)('the doctor on $name', (backend) => {
  test('finds nothing where nothing is wrong, tells first, then heals and records it', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, store, clock } = bench;
    const stuck = await tasks.request({ kind: 'parent', key: 'k' });
    await tasks.complete(await bench.claimOne('parent'));
    const lost = await tasks.request({ kind: 'plain', attempts: 1 });
    await bench.claimOne('plain');
    expect(await tasks.examine({ heal: true })).toEqual([]);
    // A row as no code of ours leaves it, and one that nobody has swept.
    await store.transaction((trx) =>
      trx
        .updateTable('tasks')
        .set({ state: 'awaiting', ended_at: null, slot: 'parent\nk' })
        .where('id', '=', stuck.id)
        .execute(),
    );
    clock.advance(3_600_000);
    const told = await tasks.examine();
    expect(told.map(({ subject, isHealed }) => [subject, isHealed])).toEqual([
      [stuck.id, false],
      [lost.id, false],
    ]);
    expect(await tasks.repairs()).toEqual([]);
    expect((await tasks.examine({ heal: true, actor: 'eve' })).every((one) => one.isHealed)).toBe(
      true,
    );
    expect(await tasks.examine()).toEqual([]);
    expect(await tasks.get(stuck.id)).toMatchObject({ isOver: true });
    expect(await tasks.get(lost.id)).toMatchObject({ status: 'failed', reason: 'lease_expired' });
    expect(await tasks.repairs()).toMatchObject([
      { actor: 'eve', subject: lost.id },
      { actor: 'eve', subject: stuck.id },
    ]);
    expect((await tasks.request({ kind: 'parent', key: 'k' })).outcome).toBe('started');
  });
});

test('a foreign table is watched and healed, and what moves is left alone', async () => {
  const [, postgres] = testBackends;
  await using database = await postgres!.create();
  await using bench = await openBench(database);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(`create table syncs (id serial primary key, status text not null, error text,
      created_at timestamptz not null, syncing_at timestamptz)`);
    await client.query(`insert into syncs (status, created_at, syncing_at) values
      ('syncing', now() - interval '7 days', now() - interval '7 days'),
      ('pending', now() - interval '2 days', null),
      ('syncing', now() - interval '7 days', now()),
      ('completed', now() - interval '7 days', null)`);
    const mapping = {
      table: 'syncs',
      statusColumn: 'status',
      liveStatuses: ['pending', 'syncing'],
      timestampColumns: ['created_at', 'syncing_at'],
      staleAfterMs: 3_600_000,
      healedStatus: 'stale',
      errorColumn: 'error',
    };
    const { context } = bench.tasks;
    const target = { database: client, mapping };
    expect(await examineForeignTable(context, target)).toMatchObject([
      { subject: 'syncs/1', isHealed: false },
      { subject: 'syncs/2', isHealed: false },
    ]);
    expect(await examineForeignTable(context, target, { heal: true })).toMatchObject([
      { isHealed: true },
      { isHealed: true },
    ]);
    expect(await examineForeignTable(context, target)).toEqual([]);
    const { rows } = await client.query(`select status, error from syncs order by id`);
    expect(rows.map(({ status }) => status as string)).toEqual([
      'stale',
      'stale',
      'syncing',
      'completed',
    ]);
    expect(await bench.tasks.repairs()).toHaveLength(2);
    const evil = { database: client, mapping: { ...mapping, table: 'syncs; drop table syncs' } };
    expect(await codeOf(examineForeignTable(context, evil))).toBe('task_bad_request');
  } finally {
    await client.end();
  }
});

test('a foreign table of SQLite is watched and healed, however it writes times', async () => {
  const [sqlite] = testBackends;
  await using database = await sqlite!.create();
  await using bench = await openBench(database);
  const foreign = new Database(':memory:');
  foreign.exec(`create table syncs (id integer primary key, status text not null, error text,
    created_at not null, syncing_at)`);
  const insert = foreign.prepare('insert into syncs values (?, ?, null, ?, ?)');
  const weekAgo = Date.now() - 7 * 86_400_000;
  insert.run(1, 'syncing', new Date(weekAgo).toISOString(), null);
  insert.run(2, 'pending', Math.floor(weekAgo / 1000), null);
  insert.run(3, 'pending', weekAgo, weekAgo);
  insert.run(4, 'syncing', weekAgo, new Date().toISOString());
  insert.run(5, 'syncing', weekAgo, Math.floor(Date.now() / 1000));
  insert.run(6, 'completed', weekAgo, null);
  insert.run(7, 'syncing', 'nonsense', null);
  const mapping = {
    table: 'syncs',
    statusColumn: 'status',
    liveStatuses: ['pending', 'syncing'],
    timestampColumns: ['created_at', 'syncing_at'],
    staleAfterMs: 3_600_000,
    healedStatus: 'stale',
    errorColumn: 'error',
  };
  const target = { database: foreign, mapping };
  const { context } = bench.tasks;
  const found = await examineForeignTable(context, target);
  expect(found.map(({ subject }) => subject)).toEqual(['syncs/1', 'syncs/2', 'syncs/3']);
  const healed = await examineForeignTable(context, target, { heal: true, actor: 'eve' });
  expect(healed.map(({ isHealed }) => isHealed)).toEqual([true, true, true]);
  expect(await examineForeignTable(context, target)).toEqual([]);
  expect(foreign.prepare('select status, error from syncs where id = 1').get()).toEqual({
    status: 'stale',
    error: 'abandoned by its worker',
  });
  expect(foreign.prepare(`select count(*) from syncs where status = 'stale'`).pluck().get()).toBe(
    3,
  );
  expect(await bench.tasks.repairs()).toHaveLength(3);
  foreign.close();
});
