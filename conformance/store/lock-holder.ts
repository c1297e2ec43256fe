/** Another program that holds the write lock of an SQLite file until its input ends. */
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';

const database = new Database(process.argv[2] ?? '');
database.exec('begin immediate');
writeSync(1, 'locked\n');
process.stdin.resume().on('end', () => {
  database.exec('commit');
  database.close();
});
