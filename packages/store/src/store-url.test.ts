import path from 'node:path';
import { assert, property, string, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { StoreError } from './errors.ts';
import { parseStoreUrl, storeLabel } from './store-url.ts';

test.each([
  ['sqlite:/data/a.db', '/data/a.db'],
  ['sqlite:///data/a.db', '/data/a.db'],
  ['sqlite:data/a.db', path.resolve('data/a.db')],
  ['file:///data/a%20b.db', '/data/a b.db'],
  ['./a.db', path.resolve('a.db')],
])('%s is a file', (url, file) => {
  expect(parseStoreUrl(url)).toEqual({ dialect: 'sqlite', file });
});

test('a PostgreSQL URL names its schema and is shown without credentials', () => {
  const location = parseStoreUrl('postgresql://me:geheim@db.example:6432/app?sslmode=require');
  expect(location).toEqual({
    dialect: 'postgres',
    connectionStrings: ['postgresql://me:geheim@db.example:6432/app?sslmode=require'],
    schema: 'holdfast',
    label: 'PostgreSQL db.example:6432/app',
  });
  expect(storeLabel(location)).not.toMatch(/me|geheim/);
  expect(parseStoreUrl('postgres://db/app?schema=mine')).toMatchObject({
    schema: 'mine',
    connectionStrings: ['postgres://db/app'],
  });
});

test('several addresses of one database', () => {
  const url = 'postgres://me:g%40heim@a,[::1]:5433/app?target_session_attrs=read-write&schema=mine';
  expect(parseStoreUrl(url)).toEqual({
    dialect: 'postgres',
    connectionStrings: ['postgres://me:g%40heim@a/app', 'postgres://me:g%40heim@[::1]:5433/app'],
    schema: 'mine',
    label: 'PostgreSQL a:5432,[::1]:5433/app',
  });
});

test.each([
  'mysql://me:geheim@db/app',
  'geheim:5432/app',
  'file://geheim/app.db',
  'file:///geheim%2Fapp.db',
  'postgres://me:12/geheim@db/app',
  'postgres://me:12?geheim@db/app',
  'postgres://me:12#geheim@db/app',
  'sqlite::memory:',
  'sqlite:',
  'postgres://me:geheim@db:port/app',
  'postgres://me:geheim@a,b:port/app',
  'postgres://me:geheim@a,/app:x@b:port',
  'postgres://me:geheim@a,b/app?target_session_attrs=standby',
  'postgres://me:geheim@db/app?schema=Robert"; drop schema public',
])('%s is refused without repeating the password', (url) => {
  expect(() => parseStoreUrl(url)).toThrow(StoreError);
  expect(() => parseStoreUrl(url)).not.toThrow(/geheim/);
  expect(() => parseStoreUrl(url)).toThrow(/store_misconfigured/);
});

test('no password is shown, however it is written', () => {
  const marker = 'geheim7c21';
  assert(
    property(tuple(string(), string(), string()), ([before, after, tail]) => {
      const password = `${before}${marker}${after}`;
      for (const url of [
        `postgres://me:${password}@db/app${tail}`,
        `postgres://me:${encodeURIComponent(password)}@a,b:5433/app${tail}`,
        `${password}://db/app`,
        `x:${password}@db/app`,
      ]) {
        expect(shown(url)).not.toContain(marker);
      }
    }),
    { numRuns: 2_000 },
  );
});

function shown(url: string): string {
  try {
    const location = parseStoreUrl(url);
    // What has no scheme is a file, and is shown as one.
    return location.dialect === 'sqlite' ? '' : storeLabel(location);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return error.message;
  }
}
