import { availableParallelism } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';

/** Workspace packages resolve to their sources, so that tests need no build. */
const conditions = ['@holdfast/source', 'module', 'node', 'development|production'];

// Of the many Node processes of a test run each would compile the same sources again.
process.env['NODE_COMPILE_CACHE'] ??= path.join(
  import.meta.dirname,
  'node_modules/.cache/node-compile',
);

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    execArgv: ['--conditions=@holdfast/source'],
    // As `vi.waitFor` has it, see `scripts/test-patience.ts`: the default is one second.
    expect: { poll: { timeout: 60_000 } },
    globalSetup: ['packages/store/src/testing/postgres-setup.ts'],
    setupFiles: [
      'scripts/property-tests.ts',
      'scripts/test-patience.ts',
      'scripts/test-processes.ts',
    ],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Generous, because the machine may be ten times slower than when it is quiet; tests of time
          // inject the clock.
          testTimeout: 90_000,
          hookTimeout: 90_000,
          // On two cores Vitest would use one; these tests are of one process, and bear company.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts', 'examples/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
