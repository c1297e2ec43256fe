import { beforeAll, expect, test } from 'vitest';
import { useBrowser } from '../test-browser.ts';
import type { AppOptions } from './running-app.ts';
import { expectServerReceived, oneConnection, openTabs, sharedPageFiles } from './tabs.ts';
import { endWorker, killLeaders, publishAllTheTime } from './tabs-under-load.ts';
import { startTokenApp } from './token-app.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

test('five tabs under load: two leaders in turn are killed with SIGKILL', async () => {
  await using running = await startTokenApp({ files });
  const { tabs } = await openTabs(running, { count: 5, mode: 'elected&jwt', ...chromium });
  const { sent, stop } = publishAllTheTime((n) => running.hub.publish('updates', n));
  const living = await killLeaders(tabs, 2);
  await stop();
  expect(living.length).toBeGreaterThan(1);
  expect(sent.length).toBeGreaterThan(100);
  await expectServerReceived(living, sent);
  await oneConnection(running);
});

test('five tabs under load: the worker that holds the connection is ended', async () => {
  await using running = await startTokenApp({ files });
  const { tabs } = await openTabs(running, { count: 5, mode: 'worker&jwt', ...chromium });
  const { sent, stop } = publishAllTheTime((n) => running.hub.publish('updates', n));
  expect(tabs).toContain(await endWorker(tabs, chromium.browser));
  await stop();
  await expectServerReceived(tabs, sent);
  await oneConnection(running);
});
