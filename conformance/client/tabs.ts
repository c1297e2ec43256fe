import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, onTestFinished, vi } from 'vitest';
import { bundle, pageFor, scriptFile } from './bundle.ts';
import type { AppOptions, RunningApp } from './running-app.ts';

export const patient = { timeout: 20_000, interval: 50 };

/** The page of the tests, and the worker that can hold its connection. */
export async function sharedPageFiles(): Promise<NonNullable<AppOptions['files']>> {
  return {
    '/': pageFor('/page.js'),
    '/elsewhere': { type: 'text/html', body: '<!doctype html><title>elsewhere</title>' },
    '/favicon.ico': { type: 'image/png', body: '' },
    '/page.js': scriptFile(await bundle('pages/shared-page.ts')),
    '/worker.js': scriptFile(await bundle('@holdfast/client/shared-worker')),
  };
}

export async function newContext(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  return context;
}

export interface TabsOptions {
  readonly count: number;
  /** Query of the page: `worker` or `elected`, and more. */
  readonly mode: string;
  readonly browser: Browser;
}

/** Opens tabs of one browser, one after the other, and waits until all are subscribed. */
export async function openTabs(
  running: RunningApp,
  { count, mode, browser }: TabsOptions,
): Promise<{ readonly tabs: Page[]; readonly context: BrowserContext }> {
  const context = await newContext(browser);
  const tabs: Page[] = [];
  for (let index = 0; index < count; index++) {
    const page = await context.newPage();
    await page.goto(`${running.url}/?${mode}`);
    tabs.push(page);
  }
  await allSubscribed(tabs);
  return { tabs, context };
}

const isSubscribed = 'globalThis.api?.subscription.state.status === "subscribed"';

export async function allSubscribed(tabs: readonly Page[]): Promise<void> {
  await Promise.all(
    tabs.map((page) => page.waitForFunction(isSubscribed, undefined, { timeout: 20_000 })),
  );
}

export async function receivedBy(page: Page): Promise<unknown[]> {
  return page.evaluate<unknown[]>('api.received');
}

export async function heldBy(page: Page): Promise<string> {
  return page.evaluate<string>('api.client.state.heldBy');
}

/** The tab that holds the connection, once exactly one of them says so. */
export async function leaderOf(tabs: readonly Page[]): Promise<Page> {
  return vi.waitFor(async () => {
    const holders = await Promise.all(tabs.map(heldBy));
    expect(holders.filter((holder) => holder === 'this_page')).toHaveLength(1);
    return tabs[holders.indexOf('this_page')] as Page;
  }, patient);
}

export async function expectReceived(
  tabs: readonly Page[],
  expected: readonly unknown[],
): Promise<void> {
  await vi.waitFor(async () => {
    for (const page of tabs) expect(await receivedBy(page)).toEqual(expected);
  }, patient);
}

export async function oneConnection({ hub }: RunningApp): Promise<void> {
  await vi.waitFor(
    () =>
      expect({ clients: hub.metrics.clients, all: hub.metrics.connections }).toEqual({
        clients: 1,
        all: 1,
      }),
    patient,
  );
}

interface ProcessInfo {
  readonly type: string;
  readonly id: number;
  readonly cpuTime: number;
}

/** The process that runs a page: the one that is busy while the page is. */
export async function rendererOf(page: Page): Promise<number> {
  const cdp = await page.context().browser()!.newBrowserCDPSession();
  const renderers = async () => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    return (processInfo as readonly ProcessInfo[]).filter(({ type }) => type === 'renderer');
  };
  const before = new Map((await renderers()).map(({ id, cpuTime }) => [id, cpuTime]));
  await page.evaluate('for (const end = performance.now() + 400; performance.now() < end; );');
  const spent = (await renderers()).map(({ id, cpuTime }) => ({
    id,
    used: cpuTime - (before.get(id) ?? 0),
  }));
  return spent.toSorted((one, other) => other.used - one.used)[0]!.id;
}
