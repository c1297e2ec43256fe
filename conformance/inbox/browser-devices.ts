import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { complaintsOf, networkTrouble, newContext } from '../test-browser.ts';
import { bundle, scriptFile } from '../client/bundle.ts';
import type { PageFiles } from '../pages-server.ts';
import type { InboxApp } from './inbox-app.ts';

const html = `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>test</title>
<style>:root { color-scheme: light dark }</style>
<div id="root"></div><script src="/page.js"></script></html>`;

export async function inboxPageFiles(): Promise<PageFiles> {
  const [page, worker] = await Promise.all([
    bundle('../inbox/pages/inbox-page.tsx'),
    bundle('@holdfast/client/shared-worker'),
  ]);
  return {
    '/': { type: 'text/html', body: html },
    '/favicon.ico': { type: 'image/png', body: '' },
    '/page.js': scriptFile(page),
    '/worker.js': scriptFile(worker),
  };
}

export const patient = { timeout: 60_000, interval: 50 };

/** Who holds the connection that the tabs share: one of them, or a worker. */
export type Sharing = 'elected' | 'worker';

/** A browser profile of its own, with its tabs. */
export interface Device {
  readonly user: string;
  readonly sharing: Sharing;
  readonly context: BrowserContext;
  readonly tabs: Page[];
  /** What pages said that they should not have. */
  complaints(): readonly string[];
}

export async function openTab(device: Device, app: Pick<InboxApp, 'url'>): Promise<Page> {
  const page = await device.context.newPage();
  await page.goto(`${app.url}/?user=${device.user}&${device.sharing}`);
  device.tabs.push(page);
  await becomesLive(page);
  return page;
}

export interface DeviceOptions {
  readonly user: string;
  /** @defaultValue 1 */
  readonly tabs?: number;
  /** @defaultValue 'elected' */
  readonly sharing?: Sharing;
}

/** Ends with the test. */
export async function openDevice(
  browser: Browser,
  app: Pick<InboxApp, 'url'>,
  { user, tabs = 1, sharing = 'elected' }: DeviceOptions,
): Promise<Device> {
  const context = await newContext(browser);
  const complaints: (readonly string[])[] = [];
  context.on('page', (page) => complaints.push(complaintsOf(page, networkTrouble)));
  const device = { user, sharing, context, tabs: [], complaints: () => complaints.flat() };
  for (let index = 0; index < tabs; index++) await openTab(device, app);
  return device;
}

export async function becomesLive(page: Page): Promise<void> {
  await page.waitForFunction('globalThis.api?.inbox.getSnapshot().status === "live"', undefined, {
    timeout: 60_000,
  });
}

/** What a page shows: the number on its bell, and the titles in its store. */
async function shownBy(page: Page): Promise<{ unread: string; titles: string[] }> {
  return page.evaluate(`({
    unread: document.querySelector('.hf-badge')?.textContent ?? '0',
    titles: api.inbox.getSnapshot().items.map(({ title }) => title),
  })`);
}

export async function expectShown(
  pages: readonly Page[],
  expected: { readonly unread: number; readonly titles: readonly string[] },
): Promise<void> {
  await vi.waitFor(async () => {
    for (const page of pages) {
      expect(await shownBy(page)).toEqual({ ...expected, unread: `${expected.unread}` });
    }
  }, patient);
}

export const heardBy = (page: Page): Promise<string[]> => page.evaluate('api.heard');
