import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import type { BackupProgress } from '../engine.ts';
import { StoreError } from '../errors.ts';
import { markAsCopy } from './file-state.ts';
import { makePrivate } from './private-file.ts';
import { fromSqliteError } from './sqlite-errors.ts';

const pagesPerStep = 500;

/**
 * Copies an SQLite database that may be in use, a few pages at a time. It reads on a connection of
 * its own inside one transaction, so the copy is the state at the beginning and writers neither wait
 * for it nor make it start over. The copy knows that it is one: what its server gives out begins anew.
 */
export async function backupSqlite(
  file: string,
  target: string,
  onProgress?: BackupProgress,
): Promise<void> {
  refuseExisting(target);
  // Of its own, so that two backups to one place at once do not write into one file.
  const partial = `${target}.${randomUUID()}.partial`;
  let source: Database.Database | undefined;
  try {
    makePrivate(partial);
    source = new Database(file, { readonly: true, fileMustExist: true });
    const pageBytes = source.pragma('page_size', { simple: true }) as number;
    source.exec('begin');
    source.prepare('select count(*) from sqlite_master').get();
    await source.backup(partial, {
      progress({ totalPages, remainingPages }) {
        onProgress?.({
          bytes: (totalPages - remainingPages) * pageBytes,
          totalBytes: totalPages * pageBytes,
        });
        return pagesPerStep;
      },
    });
    finish(partial);
    sync(partial);
    refuseExisting(target);
    renameSync(partial, target);
    sync(path.dirname(target));
  } catch (error) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) {
      rmSync(`${partial}${suffix}`, { force: true });
    }
    throw asBackupError(error, { file, target });
  } finally {
    source?.close();
  }
}

function refuseExisting(target: string): void {
  if (!existsSync(target)) return;
  throw new StoreError('store_target_not_empty', `${target} exists already`);
}

function finish(copy: string): void {
  const database = new Database(copy);
  try {
    const answer = database.pragma('quick_check(1)', { simple: true });
    if (answer !== 'ok') {
      throw new StoreError('store_verification_failed', `the copy is damaged: ${String(answer)}`);
    }
    markAsCopy(database);
  } finally {
    database.close();
  }
}

function sync(file: string): void {
  const descriptor = openSync(file, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function asBackupError(error: unknown, names: { file: string; target: string }): unknown {
  const { code } = error as { code?: unknown };
  if (error instanceof TypeError || (typeof code === 'string' && /^E[A-Z]+$/.test(code))) {
    return new StoreError(
      'store_misconfigured',
      `${names.file} cannot be copied to ${names.target}: ${error instanceof Error ? error.message : String(code)}`,
      { cause: error },
    );
  }
  return fromSqliteError(error, names.target);
}
