import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { Migration, StoreModule } from './migrations.ts';
import { openStore, type Store } from './store.ts';
import { testBackends } from './testing/databases.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

function addTable(name: string): Migration {
  return {
    name: `table ${name}`,
    async up({ createTable, types }) {
      await createTable(name)
        .addColumn('id', types.text, (column) => column.primaryKey())
        .execute();
    },
  };
}

function moduleOf(...migrations: Migration[]): StoreModule {
  return { name: 'sample', migrations };
}

async function hasTable(store: Store, name: string): Promise<boolean> {
  return store.read(async (db) => {
    const tables = await db.introspection.getTables();
    return tables.some((table) => table.name === name);
  });
}

async function applied(store: Store): Promise<readonly unknown[]> {
  const { rows } = await store.read((db) =>
    sql`select number, name from store_migrations where module = 'sample' order by number`.execute(
      db,
    ),
  );
  return rows;
}

describe.each(testBackends)('migrations on $name', (backend) => {
  test('run once, in order, and only the new ones later', async () => {
    await using database = await backend.create();
    const first = moduleOf(addTable('one'));
    await (await openStore({ url: database.url, modules: [first] })).close();
    const later = moduleOf(addTable('one'), addTable('two'), addTable('three'));
    await using store = await openStore({ url: database.url, modules: [later] });
    expect(await applied(store)).toEqual([
      { number: 1, name: 'table one' },
      { number: 2, name: 'table two' },
      { number: 3, name: 'table three' },
    ]);
    expect(await hasTable(store, 'three')).toBe(true);
  });

  test('one that fails half-way leaves nothing, and is tried again at the next start', async () => {
    await using database = await backend.create();
    let isBroken = true;
    const fragile: Migration = {
      name: 'fragile',
      async up(context) {
        await addTable('half').up(context);
        if (isBroken) throw new Error('power failure');
        await addTable('whole').up(context);
      },
    };
    const modules = [moduleOf(addTable('one'), fragile)];
    await expect(openStore({ url: database.url, modules })).rejects.toMatchObject({
      code: 'store_migration_failed',
      message: expect.stringMatching(/sample\/fragile failed: Error: power failure/),
    });
    {
      await using before = await openStore({
        url: database.url,
        modules: [moduleOf(addTable('one'))],
      });
      expect(await hasTable(before, 'half')).toBe(false);
    }
    isBroken = false;
    await using store = await openStore({ url: database.url, modules });
    expect(await hasTable(store, 'half')).toBe(true);
    expect(await hasTable(store, 'whole')).toBe(true);
  });

  test('a database of a newer version is refused, and left as it is', async () => {
    await using database = await backend.create();
    const newer = moduleOf(addTable('one'), addTable('two'));
    await (await openStore({ url: database.url, modules: [newer] })).close();
    const older = moduleOf(addTable('one'));
    await expect(openStore({ url: database.url, modules: [older] })).rejects.toMatchObject({
      code: 'store_newer',
      message: expect.stringContaining('sample/table two'),
    });
    const other = moduleOf(addTable('one'), { ...addTable('other'), name: 'other branch' });
    await expect(openStore({ url: database.url, modules: [other] })).rejects.toMatchObject({
      code: 'store_newer',
    });
    await using store = await openStore({ url: database.url, modules: [newer] });
    expect(await applied(store)).toHaveLength(2);
  });

  test('a module that is switched off keeps its tables', async () => {
    await using database = await backend.create();
    await (await openStore({ url: database.url, modules: [moduleOf(addTable('one'))] })).close();
    await (await openStore({ url: database.url })).close();
    await using store = await openStore({
      url: database.url,
      modules: [moduleOf(addTable('one'))],
    });
    expect(await hasTable(store, 'one')).toBe(true);
  });
});

test('servers that start at the same moment run each migration once', async () => {
  await using database = await testBackends[1]!.create();
  let runs = 0;
  const counted: Migration = {
    name: 'counted',
    async up(context) {
      runs += 1;
      await addTable('one').up(context);
    },
  };
  const stores = await Promise.all(
    Array.from({ length: 4 }, () =>
      openStore({ url: database.url, modules: [moduleOf(counted, addTable('two'))] }),
    ),
  );
  expect(runs).toBe(1);
  await Promise.all(stores.map((store) => store.close()));
});
