import { sql } from 'kysely';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { StoreError } from './errors.ts';
import type { StoreModule } from './migrations.ts';
import { openStore, type Store, type StoreOptions } from './store.ts';
import { testBackends, type TestDatabase } from './testing/databases.ts';
import { ManualClock } from './testing/manual-clock.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

interface NoteTables {
  notes: { id: string; text: string | null; at: number; body: Uint8Array | null };
}

const noteModule: StoreModule = {
  name: 'notes',
  migrations: [
    {
      name: 'notes',
      async up({ createTable, types }) {
        await createTable('notes')
          .addColumn('id', types.text, (column) => column.primaryKey())
          .addColumn('text', types.text)
          .addColumn('at', types.integer, (column) => column.notNull())
          .addColumn('body', types.bytes)
          .execute();
      },
    },
  ],
};

function openNotes(database: TestDatabase, options: Partial<StoreOptions> = {}) {
  return openStore<NoteTables>({ url: database.url, modules: [noteModule], ...options });
}

function insertNote(store: Store<NoteTables>, id: string): Promise<void> {
  return store.transaction(async (trx) => {
    await trx.insertInto('notes').values({ id, at: 1, text: null, body: null }).execute();
  });
}

function noteIds(store: Store<NoteTables>): Promise<readonly string[]> {
  return store.read(async (db) => {
    const rows = await db.selectFrom('notes').select('id').orderBy('id').execute();
    return rows.map((row) => row.id);
  });
}

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof StoreError ? error.code : error),
  );
}

describe.each(testBackends)('a store on $name', (backend) => {
  test('keeps what was committed, and gives back the same types', async () => {
    await using database = await backend.create();
    const note = {
      id: 'a',
      text: 'Ä \u{1f600} \\ " \'',
      at: Number.MAX_SAFE_INTEGER,
      body: Buffer.from([0, 1, 255]),
    };
    {
      await using store = await openNotes(database);
      await store.transaction((trx) => trx.insertInto('notes').values(note).execute());
    }
    await using store = await openNotes(database);
    const found = await store.read((db) => db.selectFrom('notes').selectAll().execute());
    expect(found).toEqual([note]);
    const counted = await store.read((db) =>
      db
        .selectFrom('notes')
        .select((value) => [value.fn.countAll().as('count'), value.fn.sum('at').as('sum')])
        .executeTakeFirstOrThrow(),
    );
    expect(counted).toEqual({ count: 1, sum: Number.MAX_SAFE_INTEGER });
  });

  test('keeps nothing of a transaction whose work throws', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    const own = new Error('changed my mind');
    const failed = store.transaction(async (trx) => {
      await trx.insertInto('notes').values({ id: 'a', at: 1, text: null, body: null }).execute();
      throw own;
    });
    await expect(failed).rejects.toBe(own);
    expect(await noteIds(store)).toEqual([]);
  });

  test('transactions that run at the same time are atomic each on their own', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) =>
        store.transaction(async (trx) => {
          const id = `n${String(index).padStart(2, '0')}`;
          await trx.insertInto('notes').values({ id, at: 1, text: null, body: null }).execute();
          await trx
            .insertInto('notes')
            .values({ id: `${id}x`, at: 1, text: null, body: null })
            .execute();
          if (index % 3 === 0) throw new Error('no');
        }),
      ),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(40);
    const ids = await noteIds(store);
    expect(ids).toHaveLength(80);
    expect(ids.some((id) => Number(id.slice(1, 3)) % 3 === 0)).toBe(false);
    expect(store.metrics.commits).toBeGreaterThanOrEqual(40);
  });

  test('a failed statement ends its transaction, also when its error is swallowed', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    await insertNote(store, 'a');
    const row = { id: 'a', at: 1, text: null, body: null };
    const swallowed = store.transaction(async (trx) => {
      await trx
        .insertInto('notes')
        .values({ ...row, id: 'b' })
        .execute();
      await trx
        .insertInto('notes')
        .values(row)
        .execute()
        .catch(() => {});
    });
    await expect(swallowed).rejects.toMatchObject({
      code: 'store_constraint',
      details: { constraint: 'unique' },
      retryable: false,
    });
    const goesOn = store.transaction(async (trx) => {
      await trx
        .insertInto('notes')
        .values(row)
        .execute()
        .catch(() => {});
      await trx.selectFrom('notes').selectAll().execute();
    });
    expect(await codeOf(goesOn)).toBe('store_transaction_over');
    expect(await noteIds(store)).toEqual(['a']);
  });

  test('statements after the end of their transaction are refused', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    let late: () => Promise<unknown> = () => Promise.resolve();
    await store.transaction((trx) => {
      late = () =>
        trx.insertInto('notes').values({ id: 'late', at: 1, text: null, body: null }).execute();
      return Promise.resolve();
    });
    expect(await codeOf(late())).toBe('store_transaction_over');
    expect(await noteIds(store)).toEqual([]);
  });

  test('a transaction that takes too long is undone, and others go on', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database, { transactionTimeoutMs: 100 });
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = store.transaction(async (trx) => {
      await trx.insertInto('notes').values({ id: 'a', at: 1, text: null, body: null }).execute();
      await gate;
      await trx.insertInto('notes').values({ id: 'b', at: 1, text: null, body: null }).execute();
    });
    expect(await codeOf(slow)).toBe('store_timeout');
    await insertNote(store, 'c');
    release();
    expect(await noteIds(store)).toEqual(['c']);
  });

  test('reads see one state, and cannot write', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    await insertNote(store, 'a');
    await store.read(async (db) => {
      const count = (): Promise<unknown> => db.selectFrom('notes').select('id').execute();
      expect(await count()).toHaveLength(1);
      await insertNote(store, 'b');
      expect(await count()).toHaveLength(1);
    });
    expect(await noteIds(store)).toEqual(['a', 'b']);
    const writing = store.read((db) => db.deleteFrom('notes').execute());
    expect(await codeOf(writing)).toMatch(/^store_/);
    expect(await noteIds(store)).toEqual(['a', 'b']);
  });

  test('values that one database could not keep are refused by both', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    const insert = (values: Partial<NoteTables['notes']>): Promise<unknown> =>
      store.transaction((trx) =>
        trx
          .insertInto('notes')
          .values({ id: 'a', at: 1, text: null, body: null, ...values })
          .execute(),
      );
    expect(await codeOf(insert({ text: 'a\0b' }))).toBe('store_bad_value');
    expect(await codeOf(insert({ at: 'soon' as unknown as number }))).toMatch(
      /^store_(bad_value|constraint)$/,
    );
    expect(await noteIds(store)).toEqual([]);
  });

  test('more waiting than allowed is refused at once', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database, { maxWaiting: 10, postgres: { poolSize: 2 } });
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => insertNote(store, `n${index}`)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ code: 'store_busy', retryable: true });
    }
    expect(await noteIds(store)).toHaveLength(40 - refused.length);
    expect(store.metrics.waiting).toBe(0);
    expect(store.metrics.errors.get('store_busy')).toBe(refused.length);
  });

  test('locks of the same name exclude each other, crosswise too', async () => {
    await using database = await backend.create();
    await using store = await openNotes(database);
    let inside = 0;
    const work = (names: readonly string[]): Promise<void> =>
      store.transaction(async (trx) => {
        await store.lock(trx, names);
        inside += 1;
        expect(inside).toBe(1);
        await trx.selectFrom('notes').selectAll().execute();
        inside -= 1;
      });
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => work(index % 2 === 0 ? ['a', 'b'] : ['b', 'a'])),
    );
  });

  test('is checked for damage, and closed once and for all', async () => {
    await using database = await backend.create();
    const store = await openNotes(database);
    expect(await store.integrityCheck()).toEqual([]);
    await store.ping();
    await store.close();
    await store.close();
    expect(await codeOf(store.ping())).toBe('store_closed');
    expect(await codeOf(insertNote(store, 'a'))).toBe('store_closed');
  });

  test('its clock and ids are those it was given', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using store = await openNotes(database, { clock });
    const first = store.ids.next();
    clock.set(0);
    expect(store.ids.next() > first).toBe(true);
  });
});

test('transactions of a burst share few commits on SQLite', async () => {
  const [sqlite] = testBackends;
  await using database = await sqlite!.create();
  await using store = await openNotes(database);
  const before = store.metrics.databaseCommits;
  await Promise.all(Array.from({ length: 500 }, (_, index) => insertNote(store, `n${index}`)));
  expect(store.metrics.databaseCommits - before).toBeLessThan(100);
  expect(await noteIds(store)).toHaveLength(500);
});

test('a second server of the same SQLite file is refused, and may follow the first', async () => {
  const [sqlite] = testBackends;
  await using database = await sqlite!.create();
  const first = await openNotes(database);
  const second = openNotes(database, { sqlite: { ownerWaitMs: 0 } });
  expect(await codeOf(second)).toBe('store_in_use');
  const patient = openNotes(database);
  await first.close();
  await (await patient).close();
});

test('a PostgreSQL that fails during the commit leaves open what became of it, and says so', async () => {
  await using database = await testBackends[1]!.create();
  await using store = await openNotes(database);
  await store.transaction(async (trx) => {
    // What a server whose WAL has no room answers, before it dies.
    await sql`create function fail() returns trigger language plpgsql as
      $$ begin raise exception 'No space left on device' using errcode = '53100'; end $$`.execute(
      trx,
    );
    await sql`create constraint trigger at_commit after insert on notes
      deferrable initially deferred for each row execute function fail()`.execute(trx);
  });
  const inserting = insertNote(store, 'a');
  await expect(inserting).rejects.toMatchObject({
    code: 'store_commit_unknown',
    retryable: true,
    message: expect.stringContaining(
      'the server failed (No space left on device) during the commit',
    ),
  });
  await store.ping();
});

test('PostgreSQL tables live in their own schema, and the password stays out of messages', async () => {
  const [, postgres] = testBackends;
  await using database = await postgres!.create();
  await using store = await openNotes({ ...database, url: `${database.url}?schema=mine` });
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(
    `select distinct schemaname from pg_tables where tablename in ('notes', 'outbox')`,
  );
  await client.end();
  expect(rows).toEqual([{ schemaname: 'mine' }]);
  expect(store.label).not.toContain('holdfast@');
  const wrong = new URL(database.url);
  wrong.username = 'nobody-we-know';
  wrong.password = 'geheim';
  const error = await openStore({ url: wrong.href }).then(
    () => undefined,
    (reason: unknown) => reason as StoreError,
  );
  expect(error).toMatchObject({ code: 'store_misconfigured' });
  expect(`${error?.message}${error?.stack}`).not.toContain('geheim');
});
