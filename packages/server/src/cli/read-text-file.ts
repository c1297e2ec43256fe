import { readFileSync } from 'node:fs';

/**
 * Reads a text file.
 * @returns `undefined` when there is no such file
 * @throws Error of `node:fs` when there is one that cannot be read
 */
export function readTextFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A path through a file, or the PEM text that a path was looked for in.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}
