/**
 * A PostgreSQL of which a part is on a small disk, which the first argument is the folder of, beside a file
 * that is somebody else's: with `tables` its database, with `wal` its journal of changes. Says the
 * database's URL; deletes the file for each line that it is given, and ends with its input. A server that
 * has ended is started again, as a service manager does, and each time that it cannot start is said.
 */
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { startPostgres } from '@holdfast/store/testing';

const [folder = '', part = ''] = process.argv.slice(2);
const somebodyElses = path.join(folder, 'somebody-elses.log');

await using server = await startPostgres();

async function putTablesThere(): Promise<void> {
  const tables = path.join(folder, 'tables');
  mkdirSync(tables);
  writeFileSync(somebodyElses, Buffer.alloc(8_000_000));
  await server.execute(`create tablespace small location '${tables}'`);
  await server.execute('create database app tablespace small');
}

async function putWalThere(): Promise<void> {
  await server.execute('create database app');
  const [settings] = await server.execute('show data_directory');
  const wal = path.join(String(settings?.data_directory), 'pg_wal');
  const there = path.join(folder, 'pg_wal');
  await server.crash();
  cpSync(wal, there, { recursive: true });
  rmSync(wal, { recursive: true });
  symlinkSync(there, wal);
  await server.start();
  // The next segment of 16 MB does not fit in beside it.
  writeFileSync(somebodyElses, Buffer.alloc(18_000_000));
}

async function startAgainAndAgain(): Promise<never> {
  for (;;) {
    await delay(100);
    const hasEnded = await server.execute('select 1').then(
      () => false,
      (error: unknown) => (error as { code?: unknown }).code === 'ECONNREFUSED',
    );
    if (!hasEnded) continue;
    await server.start().catch(() => process.stdout.write('it cannot start\n'));
  }
}

await (part === 'wal' ? putWalThere() : putTablesThere());
if (part === 'wal') void startAgainAndAgain();
process.stdout.write(`${server.url('app')}\n`);
for await (const _ of createInterface(process.stdin)) {
  rmSync(somebodyElses);
  process.stdout.write('there is room\n');
}
