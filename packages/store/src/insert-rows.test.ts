import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { insertRows } from './insert-rows.ts';
import type { StoreModule } from './migrations.ts';
import { openStore, type Store } from './store.ts';
import { testBackends } from './testing/databases.ts';

interface Tables {
  notes: { id: string; text: string | null; size: number | null };
}

async function open(url: string): Promise<Store<Tables>> {
  const notes = {
    name: 'notes',
    migrations: [
      {
        name: 'notes',
        async up({ createTable, types }) {
          await createTable('notes')
            .addColumn('id', types.text, (column) => column.primaryKey())
            .addColumn('text', types.text)
            .addColumn('size', types.integer)
            .execute();
        },
      },
    ],
  } satisfies StoreModule;
  return openStore<Tables>({ url, modules: [notes] });
}

describe.each(testBackends)('rows on $name', (backend) => {
  test('are inserted as they are, and a conflict clause can follow', async () => {
    await using database = await backend.create();
    await using store = await open(database.url);
    const rows = [
      { id: 'a', text: `'"\\\n\t $1 {"x": "\\u0041"} ü 🎉`, size: Number.MAX_SAFE_INTEGER },
      { id: 'b', text: null, size: null },
      { id: 'c', text: '', size: -1 },
    ];
    const insert = (some: readonly object[]) => insertRows(store.dialect, 'notes', some);
    await store.transaction((trx) => insert(rows).execute(trx));
    const again = [{ id: 'd', text: 'new', size: 1 }, ...rows];
    const { rows: inserted } = await store.transaction((trx) =>
      sql`${insert(again)} on conflict (id) do nothing returning id`.execute(trx),
    );
    expect(inserted).toEqual([{ id: 'd' }]);
    const stored = await store.read((db) =>
      db.selectFrom('notes').selectAll().orderBy('id').execute(),
    );
    expect(stored).toEqual([...rows, again[0]]);
  });

  test('with half a character are stored with a mark, with NUL refused', async () => {
    await using database = await backend.create();
    await using store = await open(database.url);
    const insert = (text: string): Promise<unknown> =>
      store.transaction((trx) =>
        insertRows(store.dialect, 'notes', [{ id: text, text, size: 0 }]).execute(trx),
      );
    await insert('cut \ud83c');
    const stored = await store.read((db) => db.selectFrom('notes').select('text').execute());
    expect(stored).toEqual([{ text: 'cut \ufffd' }]);
    await expect(insert('a\0b')).rejects.toMatchObject({ code: 'store_bad_value' });
  });
});
