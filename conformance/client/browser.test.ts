import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MemoryBroker } from '@holdfast/hub';
import { complaintsOf, newContext, useBrowser } from '../test-browser.ts';
import { bundle, pageFor, scriptFile } from './bundle.ts';
import { type AppOptions, startApp } from './running-app.ts';
import {
  expectReceived,
  heldBy,
  oneConnection,
  openTabs,
  patient,
  sharedPageFiles,
} from './tabs.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = {
    ...(await sharedPageFiles()),
    '/many': pageFor('/many.js'),
    '/many.js': scriptFile(await bundle('pages/many-page.ts')),
  };
});

describe.each(['worker', 'elected'])('one connection, %s', (mode) => {
  test.each([1, 5, 20])('%i tabs: each hears each message once and in order', async (count) => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, { count, mode, ...chromium });
    await oneConnection(running);
    expect(running.hub.metrics.subscriptions).toBe(1);
    const sent = Array.from({ length: 50 }, (_, index) => index);
    for (const n of sent) await running.hub.publish('news', n);
    await expectReceived(tabs, sent);
    await oneConnection(running);
  });

  test('a tab reloads, one is closed, the server is cut and comes back', async () => {
    await using running = await startApp({ files });
    const { tabs, context } = await openTabs(running, { count: 5, mode, ...chromium });
    const [first, second, ...others] = tabs;
    await running.hub.publish('news', 1);
    await expectReceived(tabs, [1]);
    await second!.reload();
    await first!.close();
    await running.hub.publish('news', 2);
    await expectReceived(others, [1, 2]);
    running.cutConnections();
    await running.hub.publish('news', 3);
    await expectReceived(others, [1, 2, 3]);
    await oneConnection(running);
    await context.setOffline(true);
    await running.hub.publish('news', 4);
    await context.setOffline(false);
    await expectReceived(others, [1, 2, 3, 4]);
    await oneConnection(running);
    expect(running.hub.metrics.subscriptions).toBe(1);
  });

  test('the last tab takes the connection with it', async () => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, { count: 2, mode, ...chromium });
    for (const page of tabs) await page.close();
    await vi.waitFor(() => expect(running.hub.metrics.connections).toBe(0), patient);
  });

  test('calls from any tab, and a new token, leave one connection', async () => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, { count: 3, mode, ...chromium });
    await tabs[2]!.evaluate('api.client.publish("news", "from a tab")');
    await tabs[1]!.evaluate('api.client.setToken("")');
    await tabs[0]!.evaluate('api.client.publish("news", "after")');
    await expectReceived(tabs, ['from a tab', 'after']);
    await oneConnection(running);
    expect(await tabs[1]!.evaluate<number>('api.client.measureRoundTrip()')).toBeGreaterThanOrEqual(
      0,
    );
  });

  test('the server restarts without its history: every tab is told', async () => {
    const before = await startApp({ files });
    const { tabs } = await openTabs(before, { count: 3, mode, ...chromium });
    await before.hub.publish('news', 1);
    await expectReceived(tabs, [1]);
    await before[Symbol.asyncDispose]();
    await using after = await startApp({ files, port: before.port });
    await vi.waitFor(async () => {
      for (const page of tabs) {
        expect(await page.evaluate('api.recovered.at(-1)')).toBe(false);
      }
    }, patient);
    await after.hub.publish('news', 2);
    await expectReceived(tabs, [1, 2]);
    await oneConnection(after);
  });
});

test('the server restarts and its broker keeps the history: no tab misses or repeats anything', async () => {
  const broker = new MemoryBroker();
  const before = await startApp({ files, hub: { broker } });
  onTestFinished(() => before[Symbol.asyncDispose]());
  const { tabs } = await openTabs(before, { count: 5, mode: 'elected', ...chromium });
  await before.hub.publish('news', 1);
  await expectReceived(tabs, [1]);
  await before.kill();
  await before.hub.publish('news', 2);
  await using after = await startApp({ files, hub: { broker }, port: before.port });
  await expectReceived(tabs, [1, 2]);
  await after.hub.publish('news', 3);
  await expectReceived(tabs, [1, 2, 3]);
  for (const page of tabs) expect(await page.evaluate('api.recovered.at(-1)')).toBe(true);
  await oneConnection(after);
});

describe('the elected leader', () => {
  test('dies again and again while messages flow', async () => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, { count: 5, mode: 'elected', ...chromium });
    const sent: number[] = [];
    const living = [...tabs];
    while (living.length > 1) {
      for (let n = 0; n < 10; n++) {
        sent.push(sent.length);
        await running.hub.publish('news', sent.length - 1);
      }
      const holders = await Promise.all(living.map(heldBy));
      const [leader] = living.splice(holders.indexOf('this_page'), 1);
      expect(holders.filter((holder) => holder === 'this_page')).toHaveLength(1);
      await leader!.close();
      sent.push(sent.length);
      await running.hub.publish('news', sent.length - 1);
      await vi.waitFor(
        async () => expect(await Promise.all(living.map(heldBy))).toContain('this_page'),
        patient,
      );
      await expectReceived(living, sent);
      await oneConnection(running);
    }
  });

  test('frozen without a word: another tab takes over, and the frozen one follows when it is back', async () => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, { count: 3, mode: 'elected', ...chromium });
    const holders = await Promise.all(tabs.map(heldBy));
    const leader = tabs[holders.indexOf('this_page')]!;
    const others = tabs.filter((page) => page !== leader);
    // A dialog stops everything in its page, its timers and its messages too.
    const dialog = leader.waitForEvent('dialog');
    const blocked = leader.evaluate('alert("frozen")');
    const shown = await dialog;
    await vi.waitFor(
      async () => expect(await Promise.all(others.map(heldBy))).toContain('this_page'),
      { timeout: 60_000, interval: 200 },
    );
    await running.hub.publish('news', 'while frozen');
    await expectReceived(others, ['while frozen']);
    await shown.accept();
    await blocked;
    await expectReceived(tabs, ['while frozen']);
    await oneConnection(running);
  });
});

test('a worker that cannot be loaded is replaced by an elected tab', async () => {
  await using running = await startApp({
    files: { ...files, '/worker.js': scriptFile('throw 1') },
  });
  const { tabs } = await openTabs(running, { count: 2, mode: 'worker', ...chromium });
  await running.hub.publish('news', 1);
  await expectReceived(tabs, [1]);
  await oneConnection(running);
  expect(await Promise.all(tabs.map(heldBy))).toContain('this_page');
});

test('a hundred connects at once, as many thrown away at once: no complaint in the console', async () => {
  await using running = await startApp({ files });
  const context = await newContext(chromium.browser);
  const page = await context.newPage();
  const complaints = complaintsOf(page, /status of 404/);
  await page.goto(`${running.url}/many`);
  await vi.waitFor(() => expect(running.hub.metrics.clients).toBe(100), {
    timeout: 80_000,
    interval: 200,
  });
  expect(complaints).toEqual([]);
});
