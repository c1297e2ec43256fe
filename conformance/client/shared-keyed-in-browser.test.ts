import type { Page } from 'playwright-core';
import { beforeAll, expect, test, vi } from 'vitest';
import { useBrowser } from '../test-browser.ts';
import { keyedHub } from './keyed-hub.ts';
import { type AppOptions, type RunningApp, startApp } from './running-app.ts';
import { oneConnection, openTabs, patient, sharedPageFiles } from './tabs.ts';
import { endWorker, killLeaders, publishAllTheTime } from './tabs-under-load.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

const keyCount = 20;

/** Twenty keys, which change all the time and never end. */
const change = ({ hub }: RunningApp) =>
  publishAllTheTime((count) =>
    hub.publishMap('map:a', { key: `k${count % keyCount}`, data: count }),
  );

/** All tabs have what the server has, and in none of them did a key vanish or go back. */
async function expectMaps(tabs: readonly Page[], { hub }: RunningApp): Promise<void> {
  const { entries } = await hub.readMapState('map:a', { limit: 100 });
  const expected = Object.fromEntries(
    entries.map(({ key, data }) => [key, JSON.parse(Buffer.from(data!).toString()) as number]),
  );
  expect(Object.keys(expected)).toHaveLength(keyCount);
  await vi.waitFor(async () => {
    for (const page of tabs) {
      const shown = await page.evaluate<object>(
        'Object.fromEntries([...api.map.subscription.entries].map(([key, { value }]) => [key, value]))',
      );
      expect(shown).toEqual(expected);
    }
  }, patient);
  for (const page of tabs) {
    expect(await page.evaluate('({ syncs: api.map.syncs, wentBack: api.map.wentBack })')).toEqual({
      syncs: 1,
      wentBack: [],
    });
  }
}

const allSynced = (tabs: readonly Page[]) =>
  Promise.all(tabs.map((page) => page.waitForFunction('api.map.syncs === 1')));

test('a map in four tabs while its keys change: two leaders in turn are killed with SIGKILL', async () => {
  await using running = await startApp({ files, hub: keyedHub });
  const { tabs, context } = await openTabs(running, { count: 4, mode: 'elected&map', ...chromium });
  const { sent, stop } = change(running);
  await allSynced(tabs);
  let living = await killLeaders(tabs, 1);
  // The next leader has no copy of the map until a tab comes that needs one.
  const late = await context.newPage();
  await late.goto(`${running.url}/?elected&map`);
  await allSynced([late]);
  living = await killLeaders([...living, late], 1);
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(100), patient);
  await stop();
  expect(living.length).toBeGreaterThan(1);
  await expectMaps(living, running);
  await oneConnection(running);
});

test('a map in four tabs while its keys change: the worker that holds the connection is ended', async () => {
  await using running = await startApp({ files, hub: keyedHub });
  const { tabs } = await openTabs(running, { count: 4, mode: 'worker&map', ...chromium });
  const { sent, stop } = change(running);
  await allSynced(tabs);
  expect(tabs).toContain(await endWorker(tabs, chromium.browser));
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(100), patient);
  await stop();
  await expectMaps(tabs, running);
  await oneConnection(running);
});
