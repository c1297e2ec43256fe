import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder } from './make-folder.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'holdfast-folder-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test('makes it and those above it, for their owner alone; again changes nothing', () => {
  const folder = path.join(root, 'a', 'b', 'c');
  makeFolder(folder);
  makeFolder(folder, 0o755);
  for (const made of [folder, path.dirname(folder)])
    expect(statSync(made).mode & 0o777).toBe(0o700);
});

test('a file in the way is an error that names it', () => {
  const file = path.join(root, 'file');
  writeFileSync(file, '');
  expect(() => makeFolder(file)).toThrow('EEXIST');
  expect(() => makeFolder(path.join(file, 'a', 'b'))).toThrow(
    `EEXIST: file already exists, mkdir '${file}'`,
  );
});
