import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { newContext } from '../test-browser.ts';
import { bundle, pageFor, scriptFile } from './bundle.ts';
import type { AppOptions, RunningApp } from './running-app.ts';

export const patient = { timeout: 60_000, interval: 50 };

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

/** What is needed of a tab to ask it something. */
export interface Tab {
  evaluate<Result>(expression: string): Promise<Result>;
}

const isSubscribed = 'globalThis.api?.subscription.state.status === "subscribed"';

export async function allSubscribed(tabs: readonly Tab[]): Promise<void> {
  await vi.waitFor(async () => {
    for (const tab of tabs) expect(await tab.evaluate(isSubscribed)).toBe(true);
  }, patient);
}

export async function receivedBy(tab: Tab): Promise<unknown[]> {
  return tab.evaluate<unknown[]>('api.received');
}

export async function heldBy(tab: Tab): Promise<string> {
  return tab.evaluate<string>('api.client.state.heldBy');
}

/** The tab that holds the connection, once exactly one of them says so. */
export async function leaderOf<Any extends Tab>(tabs: readonly Any[]): Promise<Any> {
  return vi.waitFor(async () => {
    const holders = await Promise.all(tabs.map(heldBy));
    expect(holders.filter((holder) => holder === 'this_page')).toHaveLength(1);
    return tabs[holders.indexOf('this_page')] as Any;
  }, patient);
}

export async function expectReceived(
  tabs: readonly Tab[],
  expected: readonly unknown[],
): Promise<void> {
  await vi.waitFor(async () => {
    for (const page of tabs) expect(await receivedBy(page)).toEqual(expected);
  }, patient);
}

/** In channels that the server subscribed to: all of it, without ever having been told of a gap. */
export async function expectServerReceived(
  tabs: readonly Tab[],
  expected: readonly unknown[],
): Promise<void> {
  await vi.waitFor(async () => {
    for (const tab of tabs) expect(await tab.evaluate('api.serverReceived')).toEqual(expected);
  }, patient);
  for (const tab of tabs) expect(await tab.evaluate('api.serverRecovered')).not.toContain(false);
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
