import { expect, test } from 'vitest';
import { bundle, gzippedBytes } from './bundle.ts';

/** What a page pays, in bytes after gzip. The engine, npm centrifuge, is the greatest part of it. */
test.each([
  ['@holdfast/client', 33_500],
  ['@holdfast/client/shared', 37_000],
  ['@holdfast/client/shared-worker', 32_000],
  ['@holdfast/client/tasks', 9_500],
  ['@holdfast/client/contract', 1_500],
])('%s stays within %i bytes', async (entry, most) => {
  expect(gzippedBytes(await bundle(entry, { minify: true }))).toBeLessThan(most);
});

test('whoever shares no connection pays nothing for sharing', async () => {
  expect(await bundle('@holdfast/client', { minify: true })).not.toContain('BroadcastChannel');
});
