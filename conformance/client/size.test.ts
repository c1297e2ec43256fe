import { expect, test } from 'vitest';
import { bundle, gzippedBytes } from './bundle.ts';

/** What a page pays, in bytes after gzip. The engine, npm centrifuge, is the greatest part of it. */
test.each([
  ['@holdfast/client', 37_500],
  ['@holdfast/client/shared', 43_300],
  ['@holdfast/client/shared-worker', 35_200],
  ['@holdfast/client/inbox', 9_900],
  ['@holdfast/client/tasks', 9_500],
  ['@holdfast/client/contract', 1_500],
])('%s stays within %i bytes', async (entry, most) => {
  expect(gzippedBytes(await bundle(entry, { minify: true }))).toBeLessThan(most);
});

test.each([
  ['@holdfast/react', 1_700],
  ['@holdfast/react/inbox', 12_900],
  ['@holdfast/react/tasks', 8_900],
])('%s stays within %i bytes, beside React', async (entry, most) => {
  const external = ['react', 'react/jsx-runtime'];
  expect(gzippedBytes(await bundle(entry, { minify: true, external }))).toBeLessThan(most);
});

test('whoever shows no notifications pays nothing for them', async () => {
  for (const entry of ['@holdfast/client', '@holdfast/client/tasks', '@holdfast/react']) {
    expect(await bundle(entry, { minify: true, external: ['react'] })).not.toContain('/api/inbox');
  }
});

test('whoever shares no connection pays nothing for sharing', async () => {
  expect(await bundle('@holdfast/client', { minify: true })).not.toContain('BroadcastChannel');
});
