import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import { newContext, useBrowser } from '../test-browser.ts';
import { collects, upgrade } from '../proxies/broken-proxies.ts';
import { startNginx } from '../proxies/real-proxy.ts';
import { type AppOptions, startApp, type RunningApp } from './running-app.ts';
import { allSubscribed, expectReceived, oneConnection, patient, sharedPageFiles } from './tabs.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

/**
 * No handshake gets through, nor can the server rescue one over connections that are kept open; what a
 * stream brings stays in the compressor.
 */
const broken = `proxy_http_version 1.1; proxy_set_header Connection ""; ${collects}
  gzip on; gzip_types *; gzip_min_length 1;`;

/** nginx before `app`, at first broken. */
async function startBrokenNginx({ port }: RunningApp) {
  const listenPort = await freePort();
  const proxy = await startNginx(
    listenPort,
    `upstream hub { server 127.0.0.1:${port}; keepalive 8; }
server { listen 127.0.0.1:${listenPort}; location / { proxy_pass http://hub; ${broken} } }`,
  );
  const config = path.join(proxy.folder, 'config');
  return {
    url: proxy.url,
    mend: () => {
      writeFileSync(config, readFileSync(config, 'utf8').replace(broken, upgrade));
      proxy.signal('SIGHUP');
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

const transportsOf = (tabs: readonly Page[]) =>
  Promise.all(tabs.map((tab) => tab.evaluate('api.client.state.transport')));

test.each([
  ['own', 1],
  ['elected', 3],
  ['worker', 3],
])(
  'nginx that strips handshakes and collects streams, %s: polling brings everything, WebSocket again when it is mended',
  async (mode, count) => {
    await using running = await startApp({ files });
    await using proxy = await startBrokenNginx(running);
    const context = await newContext(chromium.browser);
    await context.clock.install();
    const tabs: Page[] = [];
    for (let n = 0; n < count; n++) {
      const page = await context.newPage();
      await page.goto(`${proxy.url}/?${mode}&hasty`);
      tabs.push(page);
    }
    await allSubscribed(tabs);
    expect(await transportsOf(tabs)).toEqual(tabs.map(() => 'polling'));
    expect(await tabs[0]!.evaluate('api.client.state.lastClose.reason')).toMatch(
      /^nothing came through a stream in time: a proxy collects/,
    );
    // Both streams were tried, and what the server answered stayed in the proxy.
    const opened = running.hub.metrics.connectionsOpened.counts;
    expect(Object.fromEntries(opened)).toEqual({ http_stream: 1, sse: 1, polling: 1 });
    const sent: unknown[] = [];
    const publish = async (messages: number): Promise<void> => {
      for (let n = 0; n < messages; n++) {
        sent.push(sent.length);
        await running.hub.publish('news', sent.length - 1);
      }
    };
    await publish(20);
    await expectReceived(tabs, sent);
    await tabs[0]!.evaluate('api.client.publish("news", "from a tab")');
    sent.push('from a tab');
    await expectReceived(tabs, sent);
    await oneConnection(running);
    // The clock of a worker is out of reach, and the minute until it tries too long.
    if (mode === 'worker') return;
    proxy.mend();
    await publish(5);
    await vi.waitFor(
      async () => {
        await context.clock.fastForward(80_000);
        expect(await transportsOf(tabs)).toEqual(tabs.map(() => 'websocket'));
      },
      { ...patient, interval: 1_000 },
    );
    await publish(5);
    await expectReceived(tabs, sent);
    await oneConnection(running);
  },
);
