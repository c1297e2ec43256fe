import { copyFileSync, mkdtempSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { sql } from 'kysely';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { StoreModule } from './migrations.ts';
import { moveStore } from './move.ts';
import { openStore, type Store } from './store.ts';
import { testBackends } from './testing/databases.ts';

interface CountTables {
  counts: { value: number };
}

/** What its table says of how often it began anew is what a feature would have done then. */
const countModule: StoreModule = {
  name: 'counts',
  migrations: [
    {
      name: 'counts',
      async up({ createTable, types }) {
        await createTable('counts')
          .addColumn('value', types.integer, (column) => column.notNull())
          .execute();
      },
    },
  ],
  async beginAnew(db) {
    await sql`insert into counts (value) values (-1)`.execute(db);
  },
};

const problems: string[] = [];

async function open(url: string, module: StoreModule = countModule): Promise<Store<CountTables>> {
  problems.length = 0;
  return openStore<CountTables>({
    url,
    modules: [module],
    onProblem: ({ message }) => problems.push(message),
  });
}

async function add(store: Store<CountTables>, value: number): Promise<void> {
  await store.transaction((trx) => trx.insertInto('counts').values({ value }).execute());
}

/** Opens and closes it. */
async function valuesOf(url: string): Promise<readonly number[]> {
  await using store = await open(url);
  const rows = await store.read((db) => db.selectFrom('counts').select('value').execute());
  return rows.map(({ value }) => value);
}

describe('on SQLite', () => {
  const place = (): ((name: string) => string) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-setback-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return (name) => path.join(folder, name);
  };
  /** As a server leaves them that is killed now: nothing is written by it any more. */
  const copyFiles = (from: string, to: string, suffixes: readonly string[]): void => {
    for (const suffix of suffixes) copyFileSync(`${from}${suffix}`, `${to}${suffix}`);
  };

  test('a copy begins anew once, whatever the database whose place it takes has left', async () => {
    const file = place();
    const killed = file('killed.db');
    {
      await using store = await open(file('a.db'));
      await add(store, 1);
      await store.backup(file('copy.db'));
      await add(store, 2);
      copyFiles(file('a.db'), killed, ['', '-wal', '-shm']);
    }
    renameSync(file('copy.db'), killed);
    expect(await valuesOf(killed)).toEqual([1, -1]);
    expect(problems).toEqual([
      expect.stringContaining('may lack what was written to it last: it is a copy'),
    ]);
    expect(await valuesOf(killed)).toEqual([1, -1]);
    expect(problems).toEqual([]);
    await using restored = await open(killed);
    await add(restored, 3);
    expect(await restored.integrityCheck()).toEqual([]);
    // What was written since then is in the -wal file, which is its own now.
    copyFiles(killed, file('again.db'), ['', '-wal', '-shm']);
    expect(await valuesOf(file('again.db'))).toEqual([1, -1, 3]);
    expect(await valuesOf(file('a.db'))).toEqual([1, 2]);
  });

  test('a copy is one also when the server whose it was had stopped', async () => {
    const file = place();
    {
      await using store = await open(file('a.db'));
      await store.backup(file('copy.db'));
    }
    {
      await using store = await open(file('b.db'));
      await store.close();
      await using stopped = await open(file('b.db'));
      await stopped.backup(file('copy of a stopped one.db'));
    }
    expect(await valuesOf(file('copy.db'))).toEqual([-1]);
    expect(await valuesOf(file('copy of a stopped one.db'))).toEqual([-1]);
  });

  test.each(['deleted', 'emptied'])(
    'the -wal file of a server that was killed is %s',
    async (how) => {
      const file = place();
      const killed = file('killed.db');
      {
        await using before = await open(file('a.db'));
        await add(before, 0);
      }
      await using store = await open(file('a.db'));
      await add(store, 1);
      copyFiles(file('a.db'), killed, ['', '-wal', '-shm']);
      if (how === 'deleted') rmSync(`${killed}-wal`);
      else truncateSync(`${killed}-wal`);
      const lost = await valuesOf(killed);
      expect(lost).toEqual([0, -1]);
      expect(problems).toEqual([
        expect.stringMatching(/killed\.db-wal is gone, .*never delete it/),
      ]);
      expect(await valuesOf(killed)).toEqual(lost);
      expect(problems).toEqual([]);
    },
  );

  test('one that was killed, read by others, or stopped in order is no older state', async () => {
    const file = place();
    {
      await using store = await open(file('a.db'));
      await add(store, 1);
      copyFiles(file('a.db'), file('killed.db'), ['', '-wal', '-shm']);
    }
    const reader = new Database(file('killed.db'), { readonly: true });
    reader.prepare('select * from counts').all();
    reader.close();
    expect(await valuesOf(file('killed.db'))).toEqual([1]);
    // Stopped while another program reads, which keeps the -wal file there.
    const other = new Database(file('a.db'), { readonly: true });
    other.prepare('select * from counts').all();
    expect(await valuesOf(file('a.db'))).toEqual([1]);
    other.close();
    expect(await valuesOf(file('a.db'))).toEqual([1]);
    expect(problems).toEqual([]);
  });

  test('a start that fails in the middle leaves it to the next one', async () => {
    const file = place();
    {
      await using store = await open(file('a.db'));
      await add(store, 1);
      await store.backup(file('copy.db'));
    }
    const broken = {
      ...countModule,
      beginAnew: () => Promise.reject(new Error('the machine was switched off')),
    };
    await expect(open(file('copy.db'), broken)).rejects.toThrow('switched off');
    expect(await valuesOf(file('copy.db'))).toEqual([1, -1]);
    expect(await valuesOf(file('copy.db'))).toEqual([1, -1]);
  });

  test('what is moved to PostgreSQL stays what it is', async () => {
    const file = place();
    {
      await using store = await open(file('a.db'));
      await add(store, 1);
      await store.backup(file('copy.db'));
    }
    for (const [from, values] of [
      ['a.db', [1]],
      ['copy.db', [1, -1]],
    ] as const) {
      await using database = await testBackends[1]!.create();
      await moveStore({ from: file(from), to: database.url, modules: [countModule] });
      expect(await valuesOf(database.url)).toEqual(values);
    }
  });
});

test('on PostgreSQL: what is restored in another place begins anew once', async () => {
  await using database = await testBackends[1]!.create();
  {
    await using store = await open(database.url);
    expect(problems).toEqual([]);
    await add(store, 1);
  }
  expect(await valuesOf(database.url)).toEqual([1]);
  const url = new URL(database.url);
  const name = url.pathname.slice(1);
  url.pathname = `/${name}_restored`;
  const administer = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: new URL('/postgres', database.url).href });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await administer(`create database ${name}_restored template ${name}`);
  try {
    expect(await valuesOf(url.href)).toEqual([1, -1]);
    expect(problems).toEqual([expect.stringContaining('in another place and restored here')]);
    expect(await valuesOf(url.href)).toEqual([1, -1]);
  } finally {
    await administer(`drop database ${name}_restored with (force)`);
  }
  expect(await valuesOf(database.url)).toEqual([1]);
});
