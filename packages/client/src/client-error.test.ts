import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ClientError, clientErrorCodes } from './client-error.ts';

test('the handbook lists exactly these errors, with the same facts', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../../docs/client.md'), 'utf8');
  const [, section = ''] = page.split('## Errors\n');
  const documented = [...section.matchAll(/^\| `(\w+)` +\| (yes|no) +\|/gm)].map(
    ([, code, retryable]) => [code, { retryable: retryable === 'yes' }],
  );
  expect(documented).toEqual(Object.entries(clientErrorCodes));
});

test('what the server called temporary can be tried again, and what it did not cannot', () => {
  expect(new ClientError('refused', 'no').retryable).toBe(false);
  expect(new ClientError('refused', 'not now', { temporary: true }).retryable).toBe(true);
  expect(new ClientError('timed_out', 'never', { temporary: false }).retryable).toBe(false);
});
