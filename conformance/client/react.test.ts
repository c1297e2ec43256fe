import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createClient } from '@holdfast/client';
import {
  HoldfastProvider,
  useConnection,
  useHistory,
  useMap,
  usePresence,
  useServerChannels,
  useSharedPoll,
} from '@holdfast/react';
import { complaintsOf, newContext, useBrowser } from '../test-browser.ts';
import { bundle, pageFor, scriptFile } from './bundle.ts';
import { keyedHub, signKeys } from './keyed-hub.ts';
import { startApp } from './running-app.ts';
import { startTokenApp } from './token-app.ts';

const chromium = useBrowser();

/** The page of a script, and what it says that it should not. */
async function openPage() {
  const context = await newContext(chromium.browser);
  const page = await context.newPage();
  const complaints = complaintsOf(page);
  const text = (id: string) => page.locator(`#${id}`).textContent();
  return { page, complaints, text };
}

const filesOf = async (script: string) => ({
  '/': pageFor('/page.js'),
  '/favicon.ico': { type: 'image/png', body: '' },
  '/page.js': scriptFile(await bundle(script)),
});

const patient = { timeout: 60_000 };

test('under StrictMode: one connection, one subscription, each message once, nothing in the console', async () => {
  await using running = await startApp({ files: await filesOf('pages/react-page.tsx') });
  await running.hub.publish('news', 0);
  const { page, complaints, text } = await openPage();
  await page.goto(running.url);
  await expect.poll(() => text('subscription'), patient).toBe('subscribed');
  await expect.poll(() => text('history')).toBe('[0]');
  expect(await text('connection')).toBe('connected');
  await expect.poll(() => text('present')).toBe('1');
  for (const n of [1, 2, 3]) await running.hub.publish('news', n);
  await expect.poll(() => text('history')).toBe('[0,1,2,3]');
  expect(await text('received')).toBe('[1,2,3]');
  expect(running.hub.metrics).toMatchObject({ connections: 1, subscriptions: 1 });
  running.cutConnections();
  await running.hub.publish('news', 4);
  await expect.poll(() => text('received'), patient).toBe('[1,2,3,4]');
  expect(await text('history')).toBe('[0,1,2,3,4]');
  await page.click('button');
  await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0));
  expect(running.hub.metrics.connections).toBe(1);
  expect(complaints).toEqual([]);
});

test.each([
  ['a connection of its own', ''],
  ['a shared connection', '?shared'],
])(
  'maps and shared polls under StrictMode, over %s: components share a subscription, and each has its own keys',
  async (_, query) => {
    await using running = await startApp({
      files: await filesOf('pages/keyed-page.tsx'),
      hub: keyedHub,
    });
    let asked: readonly string[] = [];
    running.hub.on('polling', ({ items }) => {
      asked = items.map(({ key }) => key).toSorted();
      return {
        items: items.map(({ key }) => ({ key, data: Buffer.from(`"${key}1"`), version: 1 })),
      };
    });
    await running.hub.publishMap('map:a', { key: 'x', data: 1 });
    const { page, complaints, text } = await openPage();
    await page.exposeFunction('sign', signKeys);
    await page.goto(`${running.url}/${query}`);
    await expect.poll(() => text('same-map'), patient).toBe('{"x":1}');
    expect(await text('map')).toBe('{"x":1}');
    expect(await text('map-state')).toBe('subscribed');
    expect(running.hub.metrics).toMatchObject({ connections: 1, subscriptions: 1 });
    await page.getByText('write').click();
    await expect.poll(() => text('same-map'), patient).toBe('{"x":1,"written":1}');
    running.cutConnections();
    await running.hub.publishMap('map:a', { key: 'y', data: 2 });
    await page.getByText('remove').click();
    await expect.poll(() => text('map'), patient).toBe('{"x":1,"y":2}');
    expect(await text('same-map')).toBe('{"x":1,"y":2}');
    expect((await text('changed'))?.split(' ').toSorted()).toEqual(['written', 'written', 'y']);

    await expect.poll(() => text('scores'), patient).toBe('{"a":"a1","b":"b1"}');
    expect(await text('one-score')).toBe('{"a":"a1"}');
    expect(asked).toEqual(['a', 'b']);
    await page.getByText('other keys').click();
    await expect.poll(() => text('scores'), patient).toBe('{"b":"b1","c":"c1"}');
    // The other component still shows it.
    expect(await text('one-score')).toBe('{"a":"a1"}');
    await expect.poll(() => asked, patient).toEqual(['a', 'b', 'c']);

    await page.getByText('toggle').click();
    await vi.waitFor(() => expect(running.hub.metrics.subscriptions).toBe(0), patient);
    await page.getByText('toggle').click();
    await expect.poll(() => text('same-map'), patient).toBe('{"x":1,"y":2}');
    await expect.poll(() => text('scores'), patient).toBe('{"b":"b1","c":"c1"}');
    expect(running.hub.metrics).toMatchObject({ connections: 1, subscriptions: 1 });
    expect(complaints).toEqual([]);
  },
);

test.each([
  ['a connection of its own', ''],
  ['a shared connection', '?shared'],
])(
  'channels that the server subscribes to, over %s: which there are, and each message once',
  async (_, query) => {
    await using running = await startTokenApp({
      files: await filesOf('pages/server-channels-page.tsx'),
    });
    const { page, complaints, text } = await openPage();
    await page.goto(`${running.url}/${query}`);
    await expect.poll(() => text('channels'), patient).toBe('updates subscribed');
    for (const n of [1, 2]) await running.hub.publish('updates', n);
    await expect.poll(() => text('received'), patient).toBe('[1,2]');
    running.cutConnections();
    await running.hub.publish('updates', 3);
    await expect.poll(() => text('received'), patient).toBe('[1,2,3]');
    await running.hub.subscribe({ user: 'ann' }, 'news');
    await expect.poll(() => text('channels'), patient).toBe('updates subscribed, news subscribed');
    expect(await text('told')).toBe(
      'updates subscribed, updates subscribing, updates subscribed, news subscribed',
    );
    // Whoever is shown later sees which there are, and hears what happens from then on.
    await page.getByText('toggle').click();
    await running.hub.publish('updates', 4);
    await running.hub.unsubscribe({ user: 'ann' }, 'news');
    await page.getByText('toggle').click();
    await expect.poll(() => text('channels'), patient).toBe('updates subscribed');
    await running.hub.publish('updates', 5);
    await expect.poll(() => text('received'), patient).toMatch(/^\[(?:4,)?5\]$/);
    expect(complaints).toEqual([]);
  },
);

test('of listeners to channels of the server the newest are called, and those that went never', async () => {
  await using running = await startTokenApp({
    files: await filesOf('pages/server-channels-page.tsx'),
  });
  const { page, complaints, text } = await openPage();
  await page.goto(`${running.url}/?late`);
  // Gone before the connection is there, and back once it is.
  await page.getByText('toggle').click();
  await expect.poll(() => page.locator('#channels').count(), patient).toBe(0);
  await page.getByText('sign in').click();
  // What is published before the subscription is there, if only by a moment, is not for it.
  await expect.poll(() => page.evaluate('joined'), patient).toEqual(['updates']);
  await running.hub.publish('updates', 1);
  await expect.poll(() => page.evaluate('arrived'), patient).toEqual([1]);
  expect(await page.evaluate('heard')).toEqual([]);
  await page.getByText('toggle').click();
  await expect.poll(() => text('channels'), patient).toBe('updates subscribed');
  await running.hub.publish('updates', 2);
  await expect.poll(() => text('received'), patient).toBe('[2]');
  await page.getByText('other listeners').click();
  await running.hub.publish('updates', 3);
  await expect.poll(() => text('received'), patient).toBe('[2,30]');
  await page.getByText('other listeners').click();
  await running.hub.publish('updates', 4);
  await expect.poll(() => text('received'), patient).toBe('[2,30,400]');
  expect(await page.evaluate('heard')).toEqual([2, 3, 4]);
  expect(complaints).toEqual([]);
});

test('on the server it renders, and connects to nothing', () => {
  const client = createClient({ url: 'http://127.0.0.1:1' });
  onTestFinished(() => client.close());
  function Page() {
    const { status } = useConnection();
    const { publications } = useHistory('news');
    const map = useMap('map:a');
    const poll = useSharedPoll('poll:a', { keys: ['a'], getSignature: () => Promise.reject() });
    const present = usePresence('news').size + useServerChannels().size;
    const sizes = [publications.length, present, map.entries.size];
    return `${status}, ${[...sizes, poll.entries.size].join(', ')}`;
  }
  expect(renderToString(createElement(HoldfastProvider, { client }, createElement(Page)))).toBe(
    'idle, 0, 0, 0, 0',
  );
  expect(client.state.status).toBe('idle');
});
