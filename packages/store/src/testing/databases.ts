import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { inject } from 'vitest';

/** An empty database for one test; disposing deletes it. */
export interface TestDatabase {
  readonly url: string;
  /** Connections of stores, as the database counts them. 0 for a file, which knows of none. */
  countConnections(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One of the databases that a store can be on. */
export interface TestBackend {
  readonly name: 'SQLite' | 'PostgreSQL';
  create(): Promise<TestDatabase>;
}

const sqlite: TestBackend = {
  name: 'SQLite',
  create() {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-store-'));
    return Promise.resolve({
      url: `sqlite:${path.join(folder, 'store.db')}`,
      countConnections: () => Promise.resolve(0),
      [Symbol.asyncDispose]() {
        rmSync(folder, { recursive: true, force: true });
        return Promise.resolve();
      },
    });
  },
};

const postgres: TestBackend = {
  name: 'PostgreSQL',
  async create() {
    const response = await fetch(inject('postgresStarter'));
    const answer = await response.text();
    if (!response.ok) throw new Error(answer);
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    const administer = async (statement: string): Promise<number> => {
      const client = new Client({ connectionString: answer });
      await client.connect();
      const { rowCount } = await client.query(statement);
      await client.end();
      return rowCount ?? 0;
    };
    await administer(`create database ${name}`);
    const url = new URL(answer);
    url.pathname = `/${name}`;
    return {
      url: url.href,
      countConnections: () =>
        administer(
          `select pid from pg_stat_activity where datname = '${name}' and application_name = 'holdfast'`,
        ),
      async [Symbol.asyncDispose]() {
        await administer(`drop database if exists ${name} with (force)`);
      },
    };
  },
};

/**
 * The databases that everything on the store is tested on, the real ones. Needs the global setup
 * `postgres-setup.ts`.
 *
 * @example
 * ```ts
 * describe.each(testBackends)('notes on $name', (backend) => {
 *   test('are kept', async () => {
 *     await using database = await backend.create();
 *     await using store = await openStore({ url: database.url });
 *   });
 * });
 * ```
 */
export const testBackends: readonly TestBackend[] = [sqlite, postgres];
