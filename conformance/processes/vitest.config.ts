import path from 'node:path';
import { defineConfig } from 'vitest/config';
import everything from '../../vitest.config.ts';

/** A test run as the real one, of tests that go wrong. */
export default defineConfig({
  ...everything,
  test: {
    ...everything.test,
    root: path.resolve(import.meta.dirname, '../..'),
    projects: [
      {
        extends: true,
        test: { include: ['conformance/processes/trouble.ts'], testTimeout: 600_000 },
      },
    ],
  },
});
