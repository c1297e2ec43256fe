/**
 * A PostgreSQL whose database is on a small disk, which the first argument is the folder of, beside a file
 * that is somebody else's. Says the database's URL; deletes the file for each line that it is given, and
 * ends with its input.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { startPostgres } from '@holdfast/store/testing';

const folder = process.argv[2] ?? '';
const tables = path.join(folder, 'tables');
mkdirSync(tables);
const somebodyElses = path.join(folder, 'somebody-elses.log');
writeFileSync(somebodyElses, Buffer.alloc(8_000_000));

// Its journal of changes (WAL) is elsewhere: a server that cannot write that one stops altogether.
await using server = await startPostgres();
await server.execute(`create tablespace small location '${tables}'`);
await server.execute('create database app tablespace small');
process.stdout.write(`${server.url('app')}\n`);
for await (const _ of createInterface(process.stdin)) {
  rmSync(somebodyElses);
  process.stdout.write('there is room\n');
}
