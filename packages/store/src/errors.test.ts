import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { StoreError, storeErrorCodes, type StoreErrorCode } from './errors.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/store.md'), 'utf8');

test('the handbook lists exactly these errors, with the same facts', () => {
  const documented = [...page.matchAll(/^\| `(store_\w+)` +\| (yes|no) +\| (\d+) +\|/gm)].map(
    ([, code, retryable, status]) => ({
      code,
      retryable: retryable === 'yes',
      status: Number(status),
    }),
  );
  const actual = Object.entries(storeErrorCodes).map(([code, row]) => ({
    code,
    retryable: row.retryable,
    status: row.httpStatus,
  }));
  expect(documented).toEqual(actual);
});

test('every message says what to do', () => {
  for (const code of Object.keys(storeErrorCodes) as StoreErrorCode[]) {
    const error = new StoreError(code, 'it broke', { cause: 'why' });
    expect(error.message).toBe(`it broke (${code}: ${storeErrorCodes[code].remedy})`);
    expect(error).toMatchObject({ code, cause: 'why', details: {} });
  }
});
