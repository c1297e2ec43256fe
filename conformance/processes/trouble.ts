/** Tests that leave processes behind: one that is too slow, one that fails, and one that is never over. */
import { writeSync } from 'node:fs';
import { testBackends } from '@holdfast/store/testing';
import { ownedProcesses, startOwned } from '@holdfast/store/testing/owned-process';
import { expect, test } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import { launchBrowser } from '../browser.ts';
import { openWindow } from '../client/background-tabs.ts';
import { startNginx } from '../proxies/real-proxy.ts';
import { startRedis } from '../redis-server.ts';

const forever = new Promise<never>(() => {});

/** One that starts another one. */
function startSleepers(): void {
  startOwned('sh', ['-c', 'sleep 1000 & sleep 1000'], { stdio: 'ignore' });
}

function say(what: string): void {
  writeSync(1, `${what}: ${ownedProcesses().length} processes\n`);
}

test('too slow', { timeout: 100 }, async () => {
  startSleepers();
  expect(await forever).toBe('over');
});

test('fails', () => {
  say('after the slow one');
  startSleepers();
  expect(1).toBe(2);
});

test('never over', async () => {
  say('after the failed one');
  startSleepers();
  const port = await freePort();
  await Promise.all([
    testBackends[1]?.create(),
    startRedis(),
    startNginx(port, `server { listen 127.0.0.1:${port}; }`),
    launchBrowser(),
    openWindow(),
  ]);
  say('everything runs');
  expect(await forever).toBe('over');
});
