import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { StoreError } from './errors.ts';

/** Where a store is. */
export type StoreLocation =
  | { readonly dialect: 'sqlite'; readonly file: string }
  | {
      readonly dialect: 'postgres';
      /**
       * One for each address, in the order in which they are tried, as the driver takes them. They
       * contain the password.
       */
      readonly connectionStrings: readonly [string, ...string[]];
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
 * Several addresses of one database (`postgres://a,b:5433/db`) are tried in turn until one takes
 * changes, as libpq does with `target_session_attrs=read-write`.
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
      return sqliteFile(pathOf(url));
    case undefined:
      return sqliteFile(url);
    default:
      // Not repeated: without the scheme, what stands before the first colon is a user's name, or a key.
      throw new StoreError(
        'store_misconfigured',
        "store.url begins with a scheme that is neither 'sqlite:' nor 'postgres:'",
      );
  }
}

function pathOf(fileUrl: string): string {
  try {
    return fileURLToPath(fileUrl);
  } catch {
    throw new StoreError(
      'store_misconfigured',
      "store.url begins with 'file:' but is not of the form file:///absolute/path",
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

/** Scheme, credentials with their `@`, addresses, and the rest. */
const postgresPattern = /^([a-z]+:\/\/)([^/?#]*@)?([^/?#@]*)(.*)$/is;

function parsePostgres(url: string): StoreLocation {
  const [, scheme = '', credentials = '', addresses = '', rest = ''] =
    postgresPattern.exec(url) ?? [];
  // A password with a bare '/', '?' or '#' ends the address early: its tail would be taken for the
  // database, and shown as such.
  if (rest.includes('@')) throw invalidUrl();
  const [first, ...others] = addresses
    .split(',')
    .map((address) => parseUrl(`${scheme}${credentials}${address}${rest}`));
  if (first === undefined) throw invalidUrl();
  const schema = first.searchParams.get('schema') ?? defaultSchema;
  if (!schemaPattern.test(schema)) {
    throw new StoreError(
      'store_misconfigured',
      `the schema in store.url must match ${schemaPattern.source}`,
    );
  }
  const wanted = first.searchParams.get('target_session_attrs') ?? 'read-write';
  if (wanted !== 'read-write' && wanted !== 'primary') {
    throw new StoreError(
      'store_misconfigured',
      "target_session_attrs in store.url must be 'read-write', which is what the store needs anyway",
    );
  }
  const names = [first, ...others].map(
    ({ hostname, port }) =>
      `${hostname === '' ? 'localhost' : hostname}:${port === '' ? '5432' : port}`,
  );
  return {
    dialect: 'postgres',
    connectionStrings: [forDriver(first), ...others.map(forDriver)],
    schema,
    label: `PostgreSQL ${names.join(',')}${first.pathname}`,
  };
}

function parseUrl(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw invalidUrl();
  }
}

function invalidUrl(): StoreError {
  return new StoreError(
    'store_misconfigured',
    "store.url is not a valid URL (special characters in the password must be written as '%..')",
  );
}

/** Without what the driver does not know. */
function forDriver(url: URL): string {
  url.searchParams.delete('schema');
  url.searchParams.delete('target_session_attrs');
  return url.href;
}

/** A name for messages and logs that contains no credentials. */
export function storeLabel(location: StoreLocation): string {
  return location.dialect === 'sqlite' ? `SQLite ${location.file}` : location.label;
}
