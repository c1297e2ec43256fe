import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MemoryBroker } from '@holdfast/hub';
import { newContext, useBrowser } from '../test-browser.ts';
import { startServerProcess } from '../server-process.ts';
import { type AppOptions, startApp, type RunningApp } from './running-app.ts';
import {
  allSubscribed,
  expectReceived,
  leaderOf,
  oneConnection,
  openTabs,
  patient,
  sharedPageFiles,
} from './tabs.ts';
import { killLeaders, publishAllTheTime } from './tabs-under-load.ts';
import { startTokenApp, tokenOf } from './token-app.ts';

const chromium = useBrowser({ hasBackForwardCache: true });
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

const elected = (count: number) => ({ count, mode: 'elected', ...chromium });

async function publish({ hub }: RunningApp, sent: unknown[], count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    sent.push(sent.length);
    await hub.publish('news', sent.length - 1);
  }
}

describe('whatever happens, each tab hears each message once and in order', () => {
  test.each([
    ['elected', 1],
    ['elected', 5],
    ['elected', 20],
    ['worker', 5],
  ])(
    '%s, %i tabs: leader gone, reload, offline, a crash of the server; always one connection',
    async (mode, count) => {
      const broker = new MemoryBroker();
      const before = await startApp({ files, hub: { broker } });
      onTestFinished(() => before[Symbol.asyncDispose]());
      const { tabs, context } = await openTabs(before, { count, mode, ...chromium });
      const sent: unknown[] = [];
      await publish(before, sent, 5);
      await expectReceived(tabs, sent);
      // The tab with the connection begins anew: it has nothing of before, the others everything.
      const [leader] = mode === 'elected' ? [await leaderOf(tabs)] : tabs;
      const steady = tabs.filter((page) => page !== leader);
      await leader!.reload();
      await publish(before, sent, 5);
      await allSubscribed(tabs);
      await expectReceived(steady, sent);
      await oneConnection(before);
      await context.setOffline(true);
      await publish(before, sent, 5);
      await context.setOffline(false);
      await expectReceived(steady, sent);
      await before.kill();
      await publish(before, sent, 5);
      await using after = await startApp({ files, hub: { broker }, port: before.port });
      await publish(after, sent, 5);
      await expectReceived(steady, sent);
      await vi.waitFor(async () => {
        const own = await leader!.evaluate<number[]>('api.received');
        // From where it came back on, without a gap.
        expect(own).toEqual(sent.slice(-own.length));
        expect(own.length).toBeGreaterThanOrEqual(15);
      }, patient);
      await oneConnection(after);
      expect(after.hub.metrics.subscriptions).toBe(1);
    },
  );

  test('twenty tabs under load: three leaders in turn are killed with SIGKILL', async () => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, elected(20));
    const { sent, stop } = publishAllTheTime((n) => running.hub.publish('news', n));
    const living = await killLeaders(tabs, 3);
    await stop();
    expect(living.length).toBeGreaterThan(5);
    expect(sent.length).toBeGreaterThan(100);
    await expectReceived(living, sent);
    await oneConnection(running);
  });

  test('a server process that is killed and comes back has lost its history: every tab is told once', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-tabs-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const page = createServer((request, response) => {
      const file = files[(request.url ?? '').split('?')[0] ?? ''];
      response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': file?.type ?? '' });
      response.end(file?.body);
    }).listen(0, '127.0.0.1');
    await once(page, 'listening');
    onTestFinished(() => {
      page.close();
      page.closeAllConnections();
    });
    const address = page.address() as { readonly port: number };
    const config = (port: number) => ({
      http_server: { address: '127.0.0.1', port },
      http_api: { key: 'a-key-for-this-test' },
      client: { insecure: true, allowed_origins: ['*'] },
      channel: {
        without_namespace: { history_size: 100, history_ttl: '60s', force_recovery: true },
      },
    });
    const first = await startServerProcess(folder, config(0));
    const { port } = new URL(first.url);
    const send = (data: number) =>
      fetch(`http://127.0.0.1:${port}/api/publish`, {
        method: 'POST',
        headers: { 'X-API-Key': 'a-key-for-this-test' },
        body: JSON.stringify({ channel: 'news', data }),
      });
    const at = { url: `http://127.0.0.1:${address.port}` } as RunningApp;
    const { tabs } = await openTabs(at, {
      ...elected(5),
      mode: `elected&server=${encodeURIComponent(first.url)}`,
    });
    for (const n of [1, 2, 3]) await send(n);
    await expectReceived(tabs, [1, 2, 3]);
    await first.kill();
    const second = await startServerProcess(folder, config(Number(port)));
    onTestFinished(() => second.kill());
    await vi.waitFor(async () => {
      for (const tab of tabs) {
        const told = await tab.evaluate<unknown[]>('api.recovered.filter((one) => one === false)');
        expect(told).toEqual([false]);
      }
    }, patient);
    for (const n of [4, 5]) await send(n);
    await expectReceived(tabs, [1, 2, 3, 4, 5]);
    expect(await second.metric('holdfast_connections')).toBe(1);
  });
});

describe('the page of the leader', () => {
  test('goes into the back/forward cache and comes out of it', async () => {
    await using running = await startApp({ files });
    const { tabs } = await openTabs(running, elected(3));
    const leader = await leaderOf(tabs);
    const others = tabs.filter((page) => page !== leader);
    await running.hub.publish('news', 1);
    await expectReceived(tabs, [1]);
    await leader.evaluate(
      'addEventListener("pageshow", (event) => { globalThis.wasCached = event.persisted; })',
    );
    await leader.goto(`${running.url}/elsewhere`);
    await leaderOf(others);
    await running.hub.publish('news', 2);
    await expectReceived(others, [1, 2]);
    await oneConnection(running);
    // Coming out of the cache loads nothing that could be waited for.
    await leader.goBack({ waitUntil: 'commit' });
    expect(await leader.evaluate('globalThis.wasCached')).toBe(true);
    await expectReceived(tabs, [1, 2]);
    await oneConnection(running);
  });

  test('slept with its machine: the connection is asked at once whether it is alive', async () => {
    await using running = await startApp({ files });
    const context = await newContext(chromium.browser);
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${running.url}/?elected`);
    await page.clock.runFor(1_000);
    await allSubscribed([page]);
    const asked = () => running.hub.metrics.commands.counts.get('presence_stats') ?? 0;
    await vi.waitFor(() => expect(asked()).toBe(1), patient);
    await page.clock.fastForward(3_600_000);
    await vi.waitFor(() => expect(asked()).toBeGreaterThan(1), patient);
    await running.hub.publish('news', 'after the sleep');
    await expectReceived([page], ['after the sleep']);
  });
});

describe('tokens', () => {
  test.each(['elected', 'worker'])(
    '%s: the token of another user, given in any tab, leaves one socket, which is theirs',
    async (mode) => {
      await using running = await startTokenApp({ files, tokenFor: () => tokenOf('ann') });
      const { tabs } = await openTabs(running, { count: 5, mode: `${mode}&jwt`, ...chromium });
      await oneConnection(running);
      expect((await running.hub.connections()).connections.map(({ user }) => user)).toEqual([
        'ann',
      ]);
      await tabs[3]!.evaluate(`api.client.setToken(${JSON.stringify(tokenOf('bob'))})`);
      await vi.waitFor(async () => {
        const { connections } = await running.hub.connections();
        expect(connections.map(({ user }) => user)).toEqual(['bob']);
      }, patient);
      await running.hub.publish('news', 'for bob');
      await expectReceived(tabs, ['for bob']);
      await oneConnection(running);
    },
  );

  test('one that expires in an outage is replaced, and nothing is missed', async () => {
    let lifeSeconds = 2;
    const start = Date.now();
    await using running = await startTokenApp({
      files,
      tokenFor: () => tokenOf('ann', { exp: Date.now() / 1_000 + lifeSeconds }),
    });
    const { tabs, context } = await openTabs(running, { ...elected(3), mode: 'elected&jwt' });
    await running.hub.publish('news', 1);
    await expectReceived(tabs, [1]);
    lifeSeconds = 3_600;
    await context.setOffline(true);
    running.cutConnections();
    await running.hub.publish('news', 2);
    await vi.waitFor(() => expect(Date.now() - start).toBeGreaterThan(4_000), patient);
    await context.setOffline(false);
    await expectReceived(tabs, [1, 2]);
    await oneConnection(running);
  });
});
