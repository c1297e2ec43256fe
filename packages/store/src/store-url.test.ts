import path from 'node:path';
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
    connectionString: 'postgresql://me:geheim@db.example:6432/app?sslmode=require',
    schema: 'holdfast',
    label: 'PostgreSQL db.example:6432/app',
  });
  expect(storeLabel(location)).not.toMatch(/me|geheim/);
  expect(parseStoreUrl('postgres://db/app?schema=mine')).toMatchObject({
    schema: 'mine',
    connectionString: 'postgres://db/app',
  });
});

test.each([
  'mysql://me:geheim@db/app',
  'sqlite::memory:',
  'sqlite:',
  'postgres://me:geheim@db:port/app',
  'postgres://me:geheim@db/app?schema=Robert"; drop schema public',
])('%s is refused without repeating the password', (url) => {
  expect(() => parseStoreUrl(url)).toThrow(StoreError);
  expect(() => parseStoreUrl(url)).not.toThrow(/geheim/);
  expect(() => parseStoreUrl(url)).toThrow(/store_misconfigured/);
});
