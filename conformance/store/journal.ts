import type { StoreModule } from '@holdfast/store';

/** Pairs of rows that are written together or not at all. */
export interface JournalTables {
  entries: { id: string; half: number; writer: string; number: number };
}

export const journalModule: StoreModule = {
  name: 'journal',
  migrations: [
    {
      name: 'entries',
      async up({ createTable, types }) {
        await createTable('entries')
          .addColumn('id', types.text, (column) => column.notNull())
          .addColumn('half', types.integer, (column) => column.notNull())
          .addColumn('writer', types.text, (column) => column.notNull())
          .addColumn('number', types.integer, (column) => column.notNull())
          .addPrimaryKeyConstraint('entries_pk', ['id', 'half'])
          .execute();
      },
    },
  ],
};
