import { chromium, type Browser } from 'playwright-core';

export interface BrowserOptions {
  readonly hasBackForwardCache?: boolean;
  /** As where a screen reader runs. */
  readonly hasScreenReader?: boolean;
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
  hasScreenReader = false,
}: BrowserOptions = {}): Promise<Browser> {
  return chromium.launch({
    ...(hasBackForwardCache ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
    executablePath: chromiumPath,
    args: [...chromiumFlags, ...(hasScreenReader ? ['--force-renderer-accessibility'] : [])],
  });
}
