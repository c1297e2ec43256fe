import { randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { makeFolder } from '@holdfast/store';
import { z } from 'zod';
import type { GeneratedSecrets } from './generated-secrets.ts';

const fileName = 'secrets.json';

/** 256 bits: as much as the strongest use (HMAC-SHA-256, RFC 7518 §3.2) can take. */
const secretBytes = 32;

const storedSchema = z.object({
  token_hmac_secret_key: z.string().min(secretBytes),
  api_key: z.string().min(secretBytes),
  admin_secret: z.string().min(secretBytes),
});

/** The data folder or the secrets in it cannot be used. Never holds a secret. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
  /** What to do about it. */
  readonly remedy: string;

  constructor(
    message: string,
    { remedy, cause }: { readonly remedy: string; readonly cause?: unknown },
  ) {
    super(message, { cause });
    this.remedy = remedy;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** A fresh secret: 256 random bits in base64url, 43 characters. */
export function randomSecret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/**
 * Reads the secrets that were made at an earlier start.
 * @returns `undefined` when there are none yet
 * @throws DataFolderError when there are, but they cannot be read
 */
export function readSecrets(dataDir: string): GeneratedSecrets | undefined {
  const file = path.join(dataDir, fileName);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new DataFolderError(`${file} cannot be read (${codeOf(error)})`, {
      remedy:
        'Let the user that runs the server read it, or name another folder with data_dir (HOLDFAST_DATA_DIR).',
      cause: error,
    });
  }
  const stored = storedSchema.safeParse(parseJson(text));
  if (!stored.success) {
    // Neither the text nor what zod says about it is shown: both may hold parts of secrets.
    throw new DataFolderError(`${file} does not hold the secrets that belong there`, {
      remedy:
        'Restore it from a backup, or delete it: new secrets are made, and tokens and API keys of the old ones stop working.',
    });
  }
  return {
    file,
    tokenHmacSecretKey: stored.data.token_hmac_secret_key,
    apiKey: stored.data.api_key,
    adminSecret: stored.data.admin_secret,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Reads the secrets of a data folder; makes folder and secrets first when they are not there. Safe
 * when several processes start at once: all get the same secrets, and no process ever sees a file
 * that is half written.
 * @throws DataFolderError when the folder cannot be written or its secrets cannot be read
 */
export function ensureSecrets(dataDir: string): GeneratedSecrets {
  const existing = readSecrets(dataDir);
  if (existing !== undefined) return existing;
  const file = path.join(dataDir, fileName);
  const draft = path.join(dataDir, `.${fileName}.${randomUUID()}`);
  try {
    makeFolder(dataDir);
    writeDurably(draft, `${JSON.stringify(freshSecrets(), null, 2)}\n`);
    try {
      // A rename would replace the secrets of a process that was faster; a link fails instead.
      linkSync(draft, file);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  } catch (error) {
    throw new DataFolderError(`${file} cannot be made (${codeOf(error)})`, {
      remedy:
        'Let the user that runs the server write the folder (on a file system with hard links), name another one with data_dir (HOLDFAST_DATA_DIR), or configure client.token, http_api.key and admin.secret.',
      cause: error,
    });
  }
  const made = readSecrets(dataDir);
  if (made === undefined) {
    throw new DataFolderError(`${file} vanished while it was made`, {
      remedy: 'Do not let other programs clean the data folder.',
    });
  }
  return made;
}

function freshSecrets(): z.output<typeof storedSchema> {
  return {
    token_hmac_secret_key: randomSecret(),
    api_key: randomSecret(),
    admin_secret: randomSecret(),
  };
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether others than their owner can read the secrets, which a copy or a backup may have caused. */
export function areSecretsExposed(file: string): boolean {
  return process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
}
