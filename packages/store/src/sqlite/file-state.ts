import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { StoreError } from '../errors.ts';

/** What the next server must know of the file; SQLite's `user_version`, which changes with a commit. */
const fileStates = {
  /** Its last server stopped in order, or it had none. */
  closed: 0,
  /** A server uses it, or was killed: its `-wal` file is part of it. */
  served: 1,
  /** It may be an older state of itself, and nothing was done about that yet. */
  older: 2,
  /** Made by a backup, and not used yet. */
  copy: 3,
} as const;

/** Where `user_version` is in the file, and how long the head of a `-wal` file is: SQLite's file format. */
const userVersionOffset = 60;
const walHeadBytes = 32;

/** For a copy that is closed and not used by anybody. */
export function markAsCopy(database: Database.Database): void {
  database.pragma(`user_version = ${fileStates.copy}`);
}

/**
 * Looks at a file that no server has open, before it is opened. A `-wal` file beside a copy is removed:
 * it belongs to the database whose place the copy has taken, and SQLite would mix it into the copy.
 * @returns why the database may be an older state of itself, as far as that is news
 */
export function findSetback(file: string): string | undefined {
  const state = readState(file);
  if (state === fileStates.copy) {
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    return 'it is a copy made by a backup';
  }
  // The mark came into the file by way of the `-wal` file, which never becomes empty again.
  if (state !== fileStates.served || sizeOf(`${file}-wal`) > walHeadBytes) return undefined;
  return `${file}-wal is gone, with the last changes of a server that was killed; never delete it`;
}

/**
 * Marks the file as used, before anything else is written.
 * @param setback - what {@link findSetback} has found
 */
export function takeUp(writer: Database.Database, setback: string | undefined): void {
  if (setback !== undefined) {
    writer.pragma(`user_version = ${fileStates.older}`);
    // From here on its `-wal` file is its own, and must not be removed as that of another one.
    const [checkpoint] = writer.pragma('wal_checkpoint(truncate)') as [{ readonly busy: number }];
    if (checkpoint.busy === 0) return;
    throw new StoreError('store_locked', `${writer.name} is being read by another process`);
  }
  if (stateOf(writer) !== fileStates.closed) return;
  writer.pragma(`user_version = ${fileStates.served}`);
  writer.pragma('wal_checkpoint(passive)');
}

/** Whether it may be an older state of itself, and nothing was done about that yet. */
export function isOlder(version: number): boolean {
  return version === fileStates.older;
}

/** Ends {@link isOlder}, in the transaction that does what is to be done about it. */
export const markAsCurrent: string = `pragma user_version = ${fileStates.served}`;

/** The last act of a server that stops in order. One that cannot write it counts as killed. */
export function putBack(writer: Database.Database): void {
  try {
    if (stateOf(writer) === fileStates.served) writer.pragma(`user_version = ${fileStates.closed}`);
  } catch {
    // A full disk, or somebody's lock: the next start finds the `-wal` file, or begins anew.
  }
}

function stateOf(database: Database.Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

function readState(file: string): number {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(4);
    return readSync(descriptor, bytes, 0, 4, userVersionOffset) === 4 ? bytes.readUInt32BE() : 0;
  } finally {
    closeSync(descriptor);
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
