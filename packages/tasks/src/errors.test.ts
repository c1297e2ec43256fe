import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { TaskError, taskErrorCodes, type TaskErrorCode } from './errors.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/tasks.md'), 'utf8');

test('the handbook lists exactly these errors, with the same facts', () => {
  const rows = page.matchAll(
    /^\| `((?:task|schedule)_\w+)` +\| (yes|no) +\| (\d+) +\| (\d+) +\|/gm,
  );
  const documented = [...rows].map(([, code, retryable, status, rpcCode]) => ({
    code,
    retryable: retryable === 'yes',
    status: Number(status),
    rpcCode: Number(rpcCode),
  }));
  const actual = Object.entries(taskErrorCodes).map(([code, row]) => ({
    code,
    retryable: row.retryable,
    status: row.httpStatus,
    rpcCode: row.rpcCode,
  }));
  expect(documented).toEqual(actual);
});

test('every message says what to do', () => {
  for (const code of Object.keys(taskErrorCodes) as TaskErrorCode[]) {
    const error = new TaskError(code, 'no', { cause: 'why' });
    expect(error.message).toBe(`no (${code}: ${taskErrorCodes[code].remedy})`);
    expect(error).toMatchObject({ code, cause: 'why' });
  }
});
