import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { StoreError } from './errors.ts';

/** Where a store is. */
export type StoreLocation =
  | { readonly dialect: 'sqlite'; readonly file: string }
  | {
      readonly dialect: 'postgres';
      /** Without `schema`, as the driver takes it. Contains the password. */
      readonly connectionString: string;
      /** The database schema that all tables live in. */
      readonly schema: string;
      /** For messages: host, port and database, never credentials. */
      readonly label: string;
    };

const defaultSchema = 'holdfast';
const schemaPattern = /^[a-z_][a-z0-9_]{0,40}$/;

/**
 * Reads `sqlite:<path>`, `file:///<path>`, a plain file path, or `postgres://…` (also
 * `postgresql://…`) with the options of the `pg` driver and `schema=<name>` (default `holdfast`).
 *
 * @throws {@link StoreError} `store_misconfigured`, never repeating a password.
 */
export function parseStoreUrl(url: string): StoreLocation {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return parsePostgres(url);
    case 'sqlite':
      return sqliteFile(url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, ''));
    case 'file':
      return sqliteFile(fileURLToPath(url));
    case undefined:
      return sqliteFile(url);
    default:
      throw new StoreError(
        'store_misconfigured',
        `store.url begins with '${scheme}:', which is neither 'sqlite:' nor 'postgres:'`,
      );
  }
}

function sqliteFile(file: string): StoreLocation {
  if (file === '' || file.startsWith(':memory:')) {
    throw new StoreError(
      'store_misconfigured',
      'store.url names no file: an SQLite store is always a file, so that it survives a restart',
    );
  }
  return { dialect: 'sqlite', file: path.resolve(file) };
}

function parsePostgres(url: string): StoreLocation {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new StoreError(
      'store_misconfigured',
      "store.url is not a valid URL (special characters in the password must be written as '%..')",
    );
  }
  const schema = parsed.searchParams.get('schema') ?? defaultSchema;
  if (!schemaPattern.test(schema)) {
    throw new StoreError(
      'store_misconfigured',
      `the schema in store.url must match ${schemaPattern.source}`,
    );
  }
  parsed.searchParams.delete('schema');
  const host = parsed.hostname === '' ? 'localhost' : parsed.hostname;
  const label = `PostgreSQL ${host}:${parsed.port === '' ? '5432' : parsed.port}${parsed.pathname}`;
  return { dialect: 'postgres', connectionString: parsed.href, schema, label };
}

/** A name for messages and logs that contains no credentials. */
export function storeLabel(location: StoreLocation): string {
  return location.dialect === 'sqlite' ? `SQLite ${location.file}` : location.label;
}
