import { beforeAll, expect, test, vi } from 'vitest';
import { useBrowser } from '../test-browser.ts';
import type { AppOptions } from './running-app.ts';
import { expectServerReceived, heldBy, oneConnection, openTabs, sharedPageFiles } from './tabs.ts';
import { killLeaders, publishAllTheTime } from './tabs-under-load.ts';
import { startTokenApp } from './token-app.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

test('five tabs under load: two leaders in turn are killed with SIGKILL', async () => {
  await using running = await startTokenApp({ files });
  const { tabs } = await openTabs(running, { count: 5, mode: 'elected&jwt', ...chromium });
  const { sent, stop } = publishAllTheTime(running, 'updates');
  const living = await killLeaders(tabs, 2);
  await stop();
  expect(living.length).toBeGreaterThan(1);
  expect(sent.length).toBeGreaterThan(100);
  await expectServerReceived(living, sent);
  await oneConnection(running);
}, 120_000);

test('five tabs under load: the worker that holds the connection is ended', async () => {
  await using running = await startTokenApp({ files });
  const { tabs } = await openTabs(running, { count: 5, mode: 'worker&jwt', ...chromium });
  const { sent, stop } = publishAllTheTime(running, 'updates');
  const cdp = await chromium.browser.newBrowserCDPSession();
  const { targetInfos } = await cdp.send('Target.getTargets');
  const worker = targetInfos.find(({ type }) => type === 'shared_worker');
  await cdp.send('Target.closeTarget', { targetId: worker!.targetId });
  await vi.waitFor(async () => expect(await Promise.all(tabs.map(heldBy))).toContain('this_page'), {
    timeout: 30_000,
    interval: 100,
  });
  await tabs[0]!.waitForFunction('api.client.state.status === "connected"');
  await stop();
  await expectServerReceived(tabs, sent);
  await oneConnection(running);
}, 120_000);
