import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type BrowserOptions, launchBrowser } from './browser.ts';

/** One browser for all tests of a file: there from the first to the last of them. */
export function useBrowser(options: BrowserOptions = {}): { readonly browser: Browser } {
  const running = {} as { browser: Browser };
  beforeAll(async () => {
    running.browser = await launchBrowser(options);
  });
  afterAll(() => running.browser.close());
  return running;
}

/** A browser profile of its own, which ends with the test. */
export async function newContext(
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  return context;
}

/** What browsers write into the console by themselves when the network fails, as in tests that break it. */
export const networkTrouble = /Failed to load resource|WebSocket connection/;

/**
 * Errors that nobody caught in a page, and errors and warnings in its console; more as they come.
 *
 * @param expected - what is none
 */
export function complaintsOf(page: Page, expected?: RegExp): readonly string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (!['error', 'warning'].includes(message.type()) || expected?.test(text) === true) return;
    complaints.push(text);
  });
  return complaints;
}
