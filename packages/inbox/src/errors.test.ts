import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { inboxErrorCodes } from './errors.ts';

test('the handbook lists exactly these errors, with the same facts', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../../docs/inbox.md'), 'utf8');
  const documented = [...page.matchAll(/^\| `(inbox_\w+)` +\| (yes|no) +\| (\d+) +\|/gm)].map(
    ([, code, retryable, status]) => ({
      code,
      retryable: retryable === 'yes',
      status: Number(status),
    }),
  );
  const actual = Object.entries(inboxErrorCodes).map(([code, row]) => ({
    code,
    retryable: row.retryable,
    status: row.httpStatus,
  }));
  expect(documented).toEqual(actual);
});
