/** A server process that stops for ever in the middle of a migration, and says so. */
import { writeSync } from 'node:fs';
import { openStore } from '@holdfast/store';
import { journalModule } from './journal.ts';

await openStore({
  url: process.argv[2] ?? '',
  modules: [
    {
      ...journalModule,
      migrations: [
        ...journalModule.migrations,
        {
          name: 'second',
          async up({ createTable, types }) {
            await createTable('half_made').addColumn('id', types.text).execute();
            writeSync(1, 'half-way\n');
            await new Promise(() => setInterval(() => {}, 1000));
          },
        },
      ],
    },
  ],
});
