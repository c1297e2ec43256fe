import { defineConfig } from 'vitest/config';

/** Workspace packages resolve to their sources, so that tests need no build. */
const conditions = ['@holdfast/source', 'module', 'node', 'development|production'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    execArgv: ['--conditions=@holdfast/source'],
    globalSetup: ['packages/store/src/testing/postgres-setup.ts'],
    setupFiles: ['scripts/property-tests.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Generous, because the machine may be busy; tests of time inject the clock.
          testTimeout: 20_000,
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts', 'examples/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
