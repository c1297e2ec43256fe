import { chromium, type Browser } from 'playwright-core';

/** The machine's own Chromium, without a window and without talking to anybody. */
export function launchBrowser({
  hasBackForwardCache = false,
}: { readonly hasBackForwardCache?: boolean } = {}): Promise<Browser> {
  return chromium.launch({
    ...(hasBackForwardCache ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
