import { readFileSync } from 'node:fs';

/** A file is there but cannot be read. */
export class UnreadableFileError extends Error {
  override readonly name = 'UnreadableFileError';
  readonly file: string;
  /** As the operating system calls it: `EACCES`, `EISDIR`. */
  readonly code: string;

  constructor(file: string, code: string, options?: ErrorOptions) {
    super(`${file} cannot be read: ${code}`, options);
    this.file = file;
    this.code = code;
  }
}

/**
 * Reads a text file.
 * @returns `undefined` when there is no such file
 * @throws UnreadableFileError when there is one that cannot be read
 */
export function readTextFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // A path through a file, or the text of a certificate that a path was looked for in.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw new UnreadableFileError(file, code, { cause: error });
  }
}
