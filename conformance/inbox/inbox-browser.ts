import { testBackends } from '@holdfast/store/testing';
import { beforeAll, onTestFinished } from 'vitest';
import type { BrowserOptions } from '../browser.ts';
import { useBrowser } from '../test-browser.ts';
import type { PageFiles } from '../pages-server.ts';
import { type Device, type DeviceOptions, inboxPageFiles, openDevice } from './browser-devices.ts';
import { type InboxApp, type InboxAppOptions, startInboxApp } from './inbox-app.ts';

/** A database that ends with the test. */
export async function newDatabase(): Promise<string> {
  const database = await testBackends[0]!.create();
  onTestFinished(() => database[Symbol.asyncDispose]());
  return database.url;
}

export interface InboxBrowser {
  /** Starts the application with its pages, on a new database unless told otherwise. */
  start(options?: Partial<InboxAppOptions>): Promise<InboxApp>;
  open(app: Pick<InboxApp, 'url'>, options: DeviceOptions): Promise<Device>;
}

/** A browser and the application's pages for all tests of a file. */
export function useInboxBrowser(options: BrowserOptions = {}): InboxBrowser {
  const chromium = useBrowser(options);
  let files: PageFiles;
  beforeAll(async () => {
    files = await inboxPageFiles();
  });
  return {
    start: async (options = {}) =>
      startInboxApp({ files, ...options, url: options.url ?? (await newDatabase()) }),
    open: (app, options) => openDevice(chromium.browser, app, options),
  };
}

export async function send(app: InboxApp, user: string, title: string): Promise<void> {
  await app.inbox.send({ to: { user }, category: 'a', title });
}
