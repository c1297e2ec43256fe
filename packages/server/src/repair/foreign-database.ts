import { parseStoreUrl, type StoreLocation } from '@holdfast/store';
import type { ForeignDatabase } from '@holdfast/tasks';
import Database from 'better-sqlite3';
import { Client } from 'pg';

/** A database of another product, for as long as it is examined. */
export interface OpenForeignDatabase extends AsyncDisposable {
  readonly database: ForeignDatabase;
}

const timeoutMs = 30_000;

/**
 * Opens a database by its URL, never making one. With `readOnly` nothing can be changed in it.
 * @throws Error saying why it cannot be opened
 */
export async function openForeignDatabase(
  url: string,
  { readOnly }: { readonly readOnly: boolean },
): Promise<OpenForeignDatabase> {
  const location = locate(url);
  if (location.dialect === 'sqlite') {
    const database = new Database(location.file, {
      fileMustExist: true,
      readonly: readOnly,
      timeout: 5_000,
    });
    return {
      database,
      [Symbol.asyncDispose]() {
        database.close();
        return Promise.resolve();
      },
    };
  }
  const client = new Client({
    connectionString: location.connectionStrings[0],
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    application_name: 'holdfast tasks doctor',
    ...(readOnly && { options: '-c default_transaction_read_only=on' }),
  });
  await client.connect();
  return { database: client, [Symbol.asyncDispose]: () => client.end() };
}

function locate(url: string): StoreLocation {
  try {
    return parseStoreUrl(url);
  } catch (error) {
    // Not repeated: it may hold a password.
    throw new Error(
      'the database of the foreign table must be postgres://user:password@host/database, or sqlite: and a path',
      { cause: error },
    );
  }
}
