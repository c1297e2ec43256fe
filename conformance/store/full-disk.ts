/**
 * Writes into a store on a small disk, which the first argument is the folder of, until the disk is full,
 * then makes room and goes on. Says in one JSON line how that went.
 */
import { rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { openStore, StoreError } from '@holdfast/store';
import { journalModule, type JournalTables } from './journal.ts';
import { writePair } from './load.ts';

const folder = process.argv[2] ?? '';
const somebodyElses = path.join(folder, 'somebody-elses.log');
writeFileSync(somebodyElses, Buffer.alloc(4_000_000));

const url = `sqlite:${path.join(folder, 'store.db')}`;
const store = await openStore<JournalTables>({ url, modules: [journalModule] });
const acknowledged = new Set<string>();

/** Returns the code of the error, if there was one. */
async function write(): Promise<string | undefined> {
  const id = `${store.ids.next()}${'x'.repeat(20_000)}`;
  try {
    await writePair(store, { id, writer: 'w', number: 1 });
    acknowledged.add(id);
    return undefined;
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

async function countLost(): Promise<number> {
  const rows = await store.read((db) =>
    db.selectFrom('entries').select('id').where('half', '=', 2).execute(),
  );
  const kept = new Set(rows.map(({ id }) => id));
  return [...acknowledged].filter((id) => !kept.has(id)).length;
}

let refused: string | undefined;
while (refused === undefined) refused = await write();
const whenFull = {
  refused,
  acknowledged: acknowledged.size,
  lost: await countLost(),
  again: await write(),
  problem: store.problem()?.message,
};
rmSync(somebodyElses);
const withRoom = {
  refused: await write(),
  lost: await countLost(),
  problem: store.problem()?.message,
};
const damage = await store.integrityCheck();
await store.close();
writeSync(1, `${JSON.stringify({ whenFull, withRoom, damage })}\n`);
