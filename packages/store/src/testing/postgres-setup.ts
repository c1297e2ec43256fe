import { createServer } from 'node:http';
import { once } from 'node:events';
import type { TestProject } from 'vitest/node';
import { startPostgres, type PostgresServer } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Answers with the URL of the test run's PostgreSQL server, which it starts when first asked. */
    readonly postgresStarter: string;
  }
}

/**
 * Vitest global setup: one PostgreSQL server for a whole test run, started only when a test asks for
 * it, so that runs without such a test pay nothing.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<PostgresServer> | undefined;
  const starter = createServer((_request, response) => {
    server ??= startPostgres();
    server.then(
      (postgres) => response.end(postgres.url('postgres')),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  }).listen(0, '127.0.0.1');
  await once(starter, 'listening');
  const address = starter.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  project.provide('postgresStarter', `http://127.0.0.1:${address.port}/`);
  return async () => {
    starter.closeAllConnections();
    starter.close();
    await server?.then((postgres) => postgres.stop());
  };
}
