import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

export interface BrowserOptions {
  readonly hasBackForwardCache?: boolean;
}

export const chromiumPath = '/usr/bin/chromium';

/** Without a window, and without talking to anybody. */
export const chromiumFlags: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The machine's own Chromium. */
export function launchBrowser({
  hasBackForwardCache = false,
}: BrowserOptions = {}): Promise<Browser> {
  return chromium.launch({
    ...(hasBackForwardCache ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
    executablePath: chromiumPath,
    args: [...chromiumFlags],
  });
}

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
