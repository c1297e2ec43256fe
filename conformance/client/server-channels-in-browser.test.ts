import type { Page } from 'playwright-core';
import { beforeAll, expect, test, vi } from 'vitest';
import { useBrowser } from '../test-browser.ts';
import type { AppOptions, RunningApp } from './running-app.ts';
import {
  expectServerReceived,
  heldBy,
  leaderOf,
  oneConnection,
  openTabs,
  patient,
  rendererOf,
  sharedPageFiles,
} from './tabs.ts';
import { startTokenApp } from './token-app.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

/** Publishes without a pause until it is stopped. */
function load({ hub }: RunningApp) {
  const sent: number[] = [];
  const stopped = new AbortController();
  const done = (async () => {
    while (!stopped.signal.aborted) {
      sent.push(sent.length);
      await hub.publish('updates', sent.length - 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    sent,
    stop: async () => {
      stopped.abort();
      await done;
    },
  };
}

test('five tabs under load: two leaders in turn are killed with SIGKILL', async () => {
  await using running = await startTokenApp({ files });
  const { tabs } = await openTabs(running, { count: 5, mode: 'elected&jwt', ...chromium });
  const { sent, stop } = load(running);
  const dead = new Set<Page>();
  for (const page of tabs) page.on('crash', () => dead.add(page));
  let living: readonly Page[] = tabs;
  for (let round = 0; round < 2; round++) {
    const leader = await leaderOf(living);
    process.kill(await rendererOf(leader), 'SIGKILL');
    await vi.waitFor(() => expect(dead).toContain(leader), patient);
    living = living.filter((page) => !dead.has(page));
    const next = await leaderOf(living);
    expect(next).not.toBe(leader);
    await next.waitForFunction('api.client.state.status === "connected"');
  }
  await stop();
  expect(living.length).toBeGreaterThan(1);
  expect(sent.length).toBeGreaterThan(100);
  await expectServerReceived(living, sent);
  await oneConnection(running);
}, 120_000);

test('five tabs under load: the worker that holds the connection is ended', async () => {
  await using running = await startTokenApp({ files });
  const { tabs } = await openTabs(running, { count: 5, mode: 'worker&jwt', ...chromium });
  const { sent, stop } = load(running);
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
