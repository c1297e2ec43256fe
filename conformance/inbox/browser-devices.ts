import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { bundle, scriptFile } from '../client/bundle.ts';
import type { InboxApp, InboxAppOptions } from './inbox-app.ts';

const html = `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>test</title>
<style>:root { color-scheme: light dark }</style>
<div id="root"></div><script src="/page.js"></script></html>`;

export async function inboxPageFiles(): Promise<NonNullable<InboxAppOptions['files']>> {
  return {
    '/': { type: 'text/html', body: html },
    '/favicon.ico': { type: 'image/png', body: '' },
    '/page.js': scriptFile(await bundle('../inbox/pages/inbox-page.tsx')),
  };
}

export const patient = { timeout: 20_000, interval: 50 };

/** A browser profile of its own, with its tabs. */
export interface Device {
  readonly user: string;
  readonly context: BrowserContext;
  readonly tabs: Page[];
  /** What a page said in its console that it should not have, and errors that nobody caught. */
  readonly complaints: string[];
}

export async function openTab(device: Device, app: Pick<InboxApp, 'url'>): Promise<Page> {
  const page = await device.context.newPage();
  page.on('pageerror', (error) => device.complaints.push(error.message));
  page.on('console', (message) => {
    const isOurs = !/Failed to load resource|WebSocket connection/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && isOurs) {
      device.complaints.push(message.text());
    }
  });
  await page.goto(`${app.url}/?user=${device.user}`);
  device.tabs.push(page);
  await becomesLive(page);
  return page;
}

export async function openDevice(
  browser: Browser,
  app: Pick<InboxApp, 'url'>,
  { user, tabs = 1 }: { readonly user: string; readonly tabs?: number },
): Promise<Device> {
  const device = { user, context: await browser.newContext(), tabs: [], complaints: [] };
  for (let index = 0; index < tabs; index++) await openTab(device, app);
  return device;
}

export async function becomesLive(page: Page): Promise<void> {
  await page.waitForFunction('globalThis.api?.inbox.getSnapshot().status === "live"', undefined, {
    timeout: 20_000,
  });
}

/** What a page shows: the number on its bell, and the titles in its store. */
export async function shownBy(page: Page): Promise<{ unread: string; titles: string[] }> {
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
