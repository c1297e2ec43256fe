import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { areSecretsExposed, DataFolderError, ensureSecrets, readSecrets } from './secrets-file.ts';

let root: string;
let dataDir: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'holdfast-secrets-'));
  dataDir = path.join(root, 'deep', 'data');
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function thrownBy(action: () => unknown): DataFolderError {
  try {
    action();
  } catch (error) {
    if (error instanceof DataFolderError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('secrets of a data folder', () => {
  test('are made once, for their owner only', () => {
    expect(readSecrets(dataDir)).toBeUndefined();
    const made = ensureSecrets(dataDir);
    expect(made.file).toBe(path.join(dataDir, 'secrets.json'));
    const values = [made.tokenHmacSecretKey, made.apiKey, made.adminSecret];
    expect(new Set(values).size).toBe(3);
    for (const value of values) expect(value).toMatch(/^[\w-]{43}$/);
    expect(statSync(made.file).mode & 0o777).toBe(0o600);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(ensureSecrets(dataDir)).toEqual(made);
    expect(readdirSync(dataDir)).toEqual(['secrets.json']);
  });

  test('reading makes nothing', () => {
    readSecrets(dataDir);
    expect(existsSync(dataDir)).toBe(false);
  });

  test.each([
    '',
    '{}',
    '{"token_hmac_secret_key":"short-secret","api_key":"x","admin_secret":"y"}',
  ])('a file that holds %o is refused, never replaced, never quoted', (text) => {
    ensureSecrets(dataDir);
    const file = path.join(dataDir, 'secrets.json');
    writeFileSync(file, text);
    const error = thrownBy(() => ensureSecrets(dataDir));
    expect(error.message).toContain(file);
    expect(error.remedy).toContain('delete it');
    expect(String(error.stack) + error.remedy).not.toContain('short-secret');
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('a folder that cannot be made is named, with what to do', () => {
    writeFileSync(path.join(root, 'deep'), 'a file where a folder should be');
    const error = thrownBy(() => ensureSecrets(dataDir));
    expect(error.message).toContain(dataDir);
    expect(error.remedy).toContain('HOLDFAST_DATA_DIR');
  });

  test('permissions that let others read are noticed', () => {
    const { file } = ensureSecrets(dataDir);
    expect(areSecretsExposed(file)).toBe(false);
    chmodSync(file, 0o640);
    expect(areSecretsExposed(file)).toBe(true);
  });

  test('processes that start at once all get the same', async () => {
    const script = `
      import { ensureSecrets } from ${JSON.stringify(path.join(import.meta.dirname, 'secrets-file.ts'))};
      process.stdin.once('data', () => {
        process.stdout.write(JSON.stringify(ensureSecrets(${JSON.stringify(dataDir)})));
        process.stdin.destroy();
      });
      process.stdout.write('ready ');
    `;
    const args = ['--conditions=@holdfast/source', '--input-type=module-typescript', '-e', script];
    const children = Array.from({ length: 4 }, () =>
      startOwned(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    // Listened for from the start: a child may be gone before the last one has answered.
    const closed = children.map((child) => once(child, 'close'));
    await Promise.all(children.map((child) => once(child.stdout, 'data')));
    const answers = children.map((child) => once(child.stdout, 'data'));
    for (const child of children) child.stdin.write('go');
    const secrets = (await Promise.all(answers)).map(([answer]: Buffer[]) => String(answer));
    await Promise.all(closed);
    expect(new Set(secrets).size).toBe(1);
    expect(JSON.parse(secrets[0] ?? '')).toEqual(ensureSecrets(dataDir));
    expect(readdirSync(dataDir)).toEqual(['secrets.json']);
  });
});
