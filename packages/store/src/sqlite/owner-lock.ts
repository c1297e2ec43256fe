import Database from 'better-sqlite3';
import { delay, type Clock } from '../clock.ts';
import { StoreError } from '../errors.ts';
import { fromSqliteError, isBusy } from './sqlite-errors.ts';

/** Proof that this process alone serves an SQLite store. */
export interface OwnerLock {
  release(): void;
}

/**
 * Makes this process the only server of `file`, by an operating system lock that ends with the
 * process however it ends. It is taken on a small file beside the database, because the database
 * itself must stay open to backups, checks and curious people.
 *
 * @param waitMs how long a server that is still stopping is waited for
 * @throws {@link StoreError} `store_in_use` when another process has it.
 */
export async function acquireOwnerLock(
  file: string,
  options: { readonly clock: Clock; readonly waitMs: number },
): Promise<OwnerLock> {
  const deadline = options.clock.monotonic() + options.waitMs;
  for (;;) {
    const lock = tryLock(`${file}-owner`);
    if (lock !== undefined) return lock;
    if (options.clock.monotonic() >= deadline) {
      throw new StoreError('store_in_use', `another process is serving from ${file}`);
    }
    await delay(options.clock, 100);
  }
}

function tryLock(lockFile: string): OwnerLock | undefined {
  let database: Database.Database | undefined;
  try {
    database = new Database(lockFile, { timeout: 0 });
    database.exec('begin exclusive');
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    throw fromSqliteError(error, lockFile);
  }
  const owner = database;
  return { release: () => owner.close() };
}
