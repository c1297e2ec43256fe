import type { Browser } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createClient } from '@holdfast/client';
import { HoldfastProvider, useConnection, useHistory, usePresence } from '@holdfast/react';
import { launchBrowser } from '../browser.ts';
import { bundle, pageFor, scriptFile } from './bundle.ts';
import { startApp } from './running-app.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

test('under StrictMode: one connection, one subscription, each message once, nothing in the console', async () => {
  const files = {
    '/': pageFor('/page.js'),
    '/favicon.ico': { type: 'image/png', body: '' },
    '/page.js': scriptFile(await bundle('pages/react-page.tsx')),
  };
  await using running = await startApp({ files });
  await running.hub.publish('news', 0);
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(running.url);
  const text = (id: string) => page.locator(`#${id}`).textContent();
  await expect.poll(() => text('subscription'), { timeout: 10_000 }).toBe('subscribed');
  await expect.poll(() => text('history')).toBe('[0]');
  expect(await text('connection')).toBe('connected');
  await expect.poll(() => text('present')).toBe('1');
  for (const n of [1, 2, 3]) await running.hub.publish('news', n);
  await expect.poll(() => text('history')).toBe('[0,1,2,3]');
  expect(await text('received')).toBe('[1,2,3]');
  expect(running.hub.metrics).toMatchObject({ connections: 1, subscriptions: 1 });
  running.cutConnections();
  await running.hub.publish('news', 4);
  await expect.poll(() => text('received'), { timeout: 10_000 }).toBe('[1,2,3,4]');
  expect(await text('history')).toBe('[0,1,2,3,4]');
  await page.click('button');
  await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0));
  expect(running.hub.metrics.connections).toBe(1);
  expect(complaints).toEqual([]);
});

test('on the server it renders, and connects to nothing', () => {
  const client = createClient({ url: 'http://127.0.0.1:1' });
  onTestFinished(() => client.close());
  function Page() {
    const { status } = useConnection();
    const { publications } = useHistory('news');
    return `${status}, ${publications.length}, ${usePresence('news').size}`;
  }
  expect(renderToString(createElement(HoldfastProvider, { client }, createElement(Page)))).toBe(
    'idle, 0, 0',
  );
  expect(client.state.status).toBe('idle');
});
