import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backupCommand, checkCommand, moveCommand } from './commands.ts';
import type { StoreModule } from './migrations.ts';
import { moveStore } from './move.ts';
import { openStore, type Store } from './store.ts';
import type { StoreTables } from './store-module.ts';
import { testBackends } from './testing/databases.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

interface BookTables extends StoreTables {
  authors: { id: string; name: string };
  books: { number: number; author: string; title: string | null; cover: Uint8Array | null };
}

/** `books` refers to `authors`, and stands before it in no order but the right one. */
const bookModule: StoreModule = {
  name: 'books',
  migrations: [
    {
      name: 'authors and books',
      async up({ createTable, types }) {
        await createTable('authors')
          .addColumn('id', types.text, (column) => column.primaryKey())
          .addColumn('name', types.text, (column) => column.notNull())
          .execute();
        await createTable('books')
          .addColumn('number', types.integer, types.sequence)
          .addColumn('author', types.text, (column) => column.notNull().references('authors.id'))
          .addColumn('title', types.text)
          .addColumn('cover', types.bytes)
          .execute();
      },
    },
  ],
  checks: [
    {
      name: 'titles',
      async find(db) {
        const { rows } = await sql<{ number: number }>`
          select number from books where title = 'forbidden'`.execute(db);
        return rows.map(({ number }) => `book ${number} has a forbidden title`);
      },
    },
  ],
};
const modules = [bookModule];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-commands-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openBooks(url: string): Promise<Store<BookTables>> {
  return openStore<BookTables>({ url, modules });
}

async function fill(store: Store<BookTables>, count: number): Promise<void> {
  await store.transaction(async (trx) => {
    await trx.insertInto('authors').values({ id: 'a', name: 'Ä \u{1f600}' }).execute();
    for (let number = 1; number <= count; number += 1) {
      const title = number % 7 === 0 ? null : `title ${number}`;
      const cover = number % 5 === 0 ? Buffer.from([0, number % 256, 255]) : null;
      await trx.insertInto('books').values({ number, author: 'a', title, cover }).execute();
    }
    store.outbox.append(trx, { channel: 'books', data: { count } });
  });
}

function contents(store: Store<BookTables>): Promise<unknown> {
  return store.read(async (db) => ({
    authors: await db.selectFrom('authors').selectAll().orderBy('id').execute(),
    books: await db.selectFrom('books').selectAll().orderBy('number').execute(),
    outbox: await db.selectFrom('outbox').selectAll().orderBy('seq').execute(),
  }));
}

describe('backup', () => {
  test('copies a store that is being written to, as it was at one moment', async () => {
    const url = path.join(folder, 'a.db');
    const target = path.join(folder, 'copy.db');
    await using store = await openBooks(url);
    await fill(store, 20_000);
    const done = new AbortController();
    const backup = backupCommand({ url, target }).finally(() => done.abort());
    let writes = 0;
    while (!done.signal.aborted) {
      // Both tables change together; a copy from the middle of two states would show it.
      await store.transaction(async (trx) => {
        const id = `w${writes}`;
        await trx.insertInto('authors').values({ id, name: id }).execute();
        await trx
          .insertInto('books')
          .values({ number: 30_000 + writes, author: id, title: id, cover: null })
          .execute();
      });
      writes += 1;
    }
    const result = await backup;
    expect(result.text).toMatch(/is backed up to .*copy\.db \(\d+\.\d MB, checked\)$/);
    expect(result.exitCode).toBe(0);
    expect(writes).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    // What it says is as private as what it was copied from.
    expect(statSync(target).mode & 0o777).toBe(0o600);
    await using copy = await openBooks(target);
    expect(await copy.integrityCheck()).toEqual([]);
    const counts = await copy.read((db) =>
      sql<{ authors: number; books: number }>`select (select count(*) from authors) as authors,
        (select count(*) from books) as books`.execute(db),
    );
    expect(counts.rows[0]!.books - counts.rows[0]!.authors).toBe(19_999);
  });

  test('two at once to one place: the copy is that of one, and the other one is refused', async () => {
    const url = path.join(folder, 'a.db');
    const target = path.join(folder, 'copy.db');
    await using store = await openBooks(url);
    await fill(store, 5000);
    const results = await Promise.all([
      backupCommand({ url, target }),
      backupCommand({ url, target }),
    ]);
    expect(results.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
    expect(results).toContainEqual({
      exitCode: 1,
      text: expect.stringContaining('exists already'),
    });
    expect(readdirSync(folder).filter((name) => name.startsWith('copy'))).toEqual(['copy.db']);
    await using copy = await openBooks(target);
    expect(await contents(copy)).toEqual(await contents(store));
  });

  test('never overwrites, and names the tool for PostgreSQL', async () => {
    const url = path.join(folder, 'a.db');
    await (await openBooks(url)).close();
    const overwrite = await backupCommand({ url, target: url });
    expect(overwrite).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('exists already'),
    });
    const nowhere = await backupCommand({ url, target: path.join(folder, 'no/such/folder.db') });
    expect(nowhere).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('cannot be copied'),
    });
    const missing = path.join(folder, 'missing.db');
    const absent = await backupCommand({ url: missing, target: path.join(folder, 'b.db') });
    expect(absent).toMatchObject({ exitCode: 1, text: expect.stringContaining(missing) });
    expect(existsSync(missing)).toBe(false);
    await using database = await testBackends[1]!.create();
    const postgres = await backupCommand({ url: database.url, target: path.join(folder, 'p') });
    expect(postgres).toMatchObject({ exitCode: 1, text: expect.stringContaining('pg_dump') });
  });
});

describe.each(testBackends)('check on $name', (backend) => {
  test('finds broken rules beside a running server', async () => {
    await using database = await backend.create();
    await using store = await openBooks(database.url);
    expect(await checkCommand({ url: database.url, modules })).toEqual({
      exitCode: 0,
      text: `${store.label}: no problems found`,
    });
    await store.transaction(async (trx) => {
      await trx.insertInto('authors').values({ id: 'a', name: 'A' }).execute();
      await trx
        .insertInto('books')
        .values({ number: 7, author: 'a', title: 'forbidden', cover: null })
        .execute();
    });
    const found = await checkCommand({ url: database.url, modules });
    expect(found.exitCode).toBe(1);
    expect(found.text).toContain('books, titles: book 7 has a forbidden title');
  });

  test('says which migrations the next start applies', async () => {
    await using database = await backend.create();
    await (await openStore({ url: database.url })).close();
    const result = await checkCommand({ url: database.url, modules });
    expect(result).toMatchObject({
      exitCode: 0,
      text: expect.stringContaining('applies 1 migrations: books/authors and books'),
    });
  });
});

test('check finds a damaged file', async () => {
  const url = path.join(folder, 'a.db');
  const store = await openBooks(url);
  await fill(store, 2000);
  await store.close();
  const size = readFileSync(url).length;
  const file = openSync(url, 'r+');
  for (let offset = 3 * 4096 + 100; offset < size; offset += 4096) {
    writeSync(file, Buffer.alloc(2000, 0x5a), 0, 2000, offset);
  }
  closeSync(file);
  const result = await checkCommand({ url, modules });
  expect(result.exitCode).toBe(1);
  expect(result.text).toMatch(/damaged|malformed/);
});

describe('move', () => {
  test('carries everything from SQLite to PostgreSQL, where it goes on', async () => {
    const from = path.join(folder, 'a.db');
    await using database = await testBackends[1]!.create();
    const source = await openBooks(from);
    await fill(source, 1234);
    // The highest number given out so far is gone again; it must not come back.
    await source.transaction(async (trx) => {
      await trx
        .insertInto('books')
        .values({ number: 5000, author: 'a', title: null, cover: null })
        .execute();
      await trx.deleteFrom('books').where('number', '=', 5000).execute();
    });
    const before = await contents(source);
    await source.close();
    const lines: string[] = [];
    const result = await moveCommand({
      from,
      to: database.url,
      modules,
      onProgress: (line) => lines.push(line),
    });
    expect(result.text).toMatch(/^authors: 1 rows\nbooks: 1234 rows\n/);
    expect(result.exitCode).toBe(0);
    expect(lines).toContain('books: 1000 of 1234 rows');
    await using target = await openBooks(database.url);
    expect(await contents(target)).toEqual(before);
    const { number } = await target.transaction((trx) =>
      trx
        .insertInto('books')
        .values({ author: 'a', title: 'new', cover: null } as BookTables['books'])
        .returning('number')
        .executeTakeFirstOrThrow(),
    );
    expect(number).toBe(5001);
    await using old = await openBooks(from);
    expect(await contents(old)).toEqual(before);
  });

  test('one that was interrupted keeps servers away and starts over when run again', async () => {
    const from = path.join(folder, 'a.db');
    await using database = await testBackends[1]!.create();
    const source = await openBooks(from);
    await fill(source, 1600);
    await source.close();
    const interrupted = moveStore({
      from,
      to: database.url,
      modules,
      onProgress({ table, rows }) {
        if (table === 'books' && rows >= 1000) throw new Error('the machine was switched off');
      },
    });
    await expect(interrupted).rejects.toThrow('switched off');
    await expect(openBooks(database.url)).rejects.toMatchObject({ code: 'store_move_unfinished' });
    expect(await moveCommand({ from, to: database.url, modules })).toMatchObject({ exitCode: 0 });
    await using target = await openBooks(database.url);
    const { books } = (await contents(target)) as { books: unknown[] };
    expect(books).toHaveLength(1600);
  });

  test('refuses a target that is served, though it is empty', async () => {
    const from = path.join(folder, 'a.db');
    await using database = await testBackends[1]!.create();
    const source = await openBooks(from);
    await fill(source, 3);
    await source.close();
    const move = () => moveCommand({ from, to: database.url, modules });
    {
      await using server = await openBooks(database.url);
      server.outbox.start({ publish: () => Promise.resolve() });
      await vi.waitFor(() => expect(server.isLeader()).toBe(true), { timeout: 60_000 });
      expect(await move()).toMatchObject({
        exitCode: 1,
        text: expect.stringMatching(/another process is serving from PostgreSQL .*store_in_use/),
      });
      expect(await contents(server)).toMatchObject({ books: [] });
    }
    expect(await move()).toMatchObject({ exitCode: 0 });
  });

  test('of a store that is not there moves nothing, and makes none', async () => {
    const missing = path.join(folder, 'elsewhere', 'a.db');
    const to = 'postgres://ann:geheim@127.0.0.1:1/nowhere';
    for (const answer of [
      await moveCommand({ from: missing, to, modules }),
      await checkCommand({ url: missing, modules }),
      await backupCommand({ url: missing, target: path.join(folder, 'b.db') }),
    ]) {
      expect(answer).toEqual({
        exitCode: 1,
        text: expect.stringContaining(`there is no database at ${missing}`),
      });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('refuses a source in use, a target with rows, unknown tables, and the wrong way round', async () => {
    const from = path.join(folder, 'a.db');
    await using database = await testBackends[1]!.create();
    const to = database.url;
    const running = await openBooks(from);
    expect(await moveCommand({ from, to, modules })).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('store_in_use'),
    });
    await running.close();
    expect(await moveCommand({ from, to, modules: [] })).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining("'authors'"),
    });
    {
      await using target = await openBooks(to);
      await fill(target, 1);
    }
    expect(await moveCommand({ from, to, modules })).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('store_target_not_empty'),
    });
    expect(await moveCommand({ from: to, to: from, modules })).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('from SQLite to PostgreSQL'),
    });
  });
});
