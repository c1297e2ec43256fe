import { closeSync, openSync } from 'node:fs';

/** Makes a file that is not there yet readable for its owner alone; SQLite's other files follow it. */
export function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}
