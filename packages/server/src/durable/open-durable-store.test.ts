import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { testConfig } from '../testing/test-config.ts';
import { createLogger } from '../logging.ts';
import { openDurableStore } from './open-durable-store.ts';

test('an older program refuses a newer store, and does not look for the fault in its place', async () => {
  const dataDir = temporaryFolder();
  const { config } = testConfig({ data_dir: dataDir, store: {} });
  const open = () => openDurableStore(config, createLogger({ level: 'fatal', isPretty: false }));
  await (await open())?.close();
  const database = new Database(path.join(dataDir, 'holdfast.db'));
  database.exec(`insert into store_migrations
    select module, number + 1, 'of the future', applied_at from store_migrations
    where module = 'journal' order by number desc limit 1`);
  database.close();
  await expect(open()).rejects.toMatchObject({
    code: 'store',
    message: expect.stringMatching(
      /journal\/of the future.*does not know \(store_newer: run the newer version(?!.*must be able to write)/,
    ),
  });
});
