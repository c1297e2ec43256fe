import type { Browser, Page } from 'playwright-core';
import { testBackends } from '@holdfast/store/testing';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { launchBrowser } from '../browser.ts';
import {
  becomesLive,
  type Device,
  expectShown,
  heardBy,
  inboxPageFiles,
  openDevice,
  openTab,
  patient,
} from './browser-devices.ts';
import { type InboxApp, type InboxAppOptions, startInboxApp } from './inbox-app.ts';

let browser: Browser;
let files: NonNullable<InboxAppOptions['files']>;

beforeAll(async () => {
  [browser, files] = await Promise.all([launchBrowser(), inboxPageFiles()]);
});

afterAll(() => browser.close());

async function newDatabase(): Promise<string> {
  const database = await testBackends[0]!.create();
  onTestFinished(() => database[Symbol.asyncDispose]());
  return database.url;
}

async function open(app: InboxApp, user: string, tabs = 1): Promise<Device> {
  const device = await openDevice(browser, app, { user, tabs });
  onTestFinished(() => device.context.close());
  return device;
}

const send = async (app: InboxApp, user: string, title: string): Promise<void> => {
  await app.inbox.send({ to: { user }, category: 'a', title });
};

const pagesOf = (devices: readonly Device[]): Page[] => devices.flatMap(({ tabs }) => tabs);

/** Each tab notes when its counts became what they are. */
const noteChanges = `api.changes = []; api.inbox.subscribe(() => {
  const { unread: { total }, status } = api.inbox.getSnapshot();
  if (status === 'live') api.changes.push([total, Date.now()]);
});`;

test('two users with three devices each: counts agree everywhere, and nothing crosses', async () => {
  await using app = await startInboxApp({ url: await newDatabase(), files });
  const ann = [await open(app, 'ann', 3), await open(app, 'ann'), await open(app, 'ann')];
  const bob = [await open(app, 'bob', 2), await open(app, 'bob'), await open(app, 'bob')];
  const [annPages, bobPages] = [pagesOf(ann), pagesOf(bob)];
  // Tabs of a browser share one connection, and what one of them has read.
  expect(app.hub.metrics.clients).toBe(6);
  expect(app.requests.filter((request) => request === 'GET ')).toHaveLength(6);
  for (const page of [...annPages, ...bobPages]) await page.evaluate(noteChanges);

  const slowest: number[] = [];
  /** How long after `change` was done the last of these pages had `unread`. */
  const change = async (
    pages: readonly Page[],
    unread: number,
    act: () => Promise<unknown>,
  ): Promise<void> => {
    for (const page of pages) await page.evaluate('api.changes.length = 0');
    await act();
    const doneAt = Date.now();
    const times: number[] = [];
    for (const page of pages) {
      const at = await page.waitForFunction(
        `api.changes.find(([total]) => total === ${unread})?.[1]`,
        undefined,
        { timeout: 20_000 },
      );
      times.push(Number(await at.jsonValue()) - doneAt);
    }
    slowest.push(Math.max(...times));
  };
  const doIn = (page: Page, action: string) => page.evaluate(`api.inbox.${action}`);
  const first = 'api.inbox.getSnapshot().items[0].id';

  await change(annPages, 1, () => send(app, 'ann', 'a1'));
  await change(annPages, 2, () => send(app, 'ann', 'a2'));
  await change(bobPages, 1, () => send(app, 'bob', 'b1'));
  await change(annPages, 1, () => doIn(ann[1]!.tabs[0]!, `markRead([${first}])`));
  await change(annPages, 2, () => doIn(ann[0]!.tabs[2]!, `markUnread([${first}])`));
  await change(bobPages, 0, () => doIn(bob[0]!.tabs[1]!, 'readAll()'));
  await change(annPages, 1, () => doIn(ann[2]!.tabs[0]!, `archive([${first}])`));
  await change(annPages, 2, () => send(app, 'ann', 'a3'));
  await change(annPages, 0, () => doIn(ann[0]!.tabs[1]!, 'readAll()'));
  await change(bobPages, 1, () => send(app, 'bob', 'b2'));
  await expectShown(annPages, { unread: 0, titles: ['a3', 'a1'] });
  await expectShown(bobPages, { unread: 1, titles: ['b2', 'b1'] });
  // A single one may be late when the machine does something else.
  expect(slowest.toSorted((a, b) => a - b)[Math.floor(slowest.length / 2)]).toBeLessThan(1_000);
  expect(Math.max(...slowest)).toBeLessThan(5_000);
  for (const page of annPages) expect(await heardBy(page)).toEqual(['a1', 'a2', 'a3']);
  for (const page of bobPages) expect(await heardBy(page)).toEqual(['b1', 'b2']);

  // Each device acknowledged each notification, and did so once.
  await vi.waitFor(() => expect(app.acknowledged).toHaveLength(3 * 3 + 3 * 2), patient);
  expect(new Set(app.acknowledged).size).toBe(app.acknowledged.length);
  expect([...ann, ...bob].flatMap(({ complaints }) => complaints)).toEqual([]);
}, 120_000);

test('offline and back: what was known stays, what is done is shown at once and carried out later', async () => {
  await using app = await startInboxApp({ url: await newDatabase(), files });
  for (const title of ['1', '2', '3']) await send(app, 'ann', title);
  const laptop = await open(app, 'ann', 3);
  const phone = await open(app, 'ann');
  await laptop.context.setOffline(true);
  await vi.waitFor(async () => {
    for (const page of laptop.tabs) {
      expect(await page.evaluate('api.inbox.getSnapshot().status')).toBe('stale');
    }
  }, patient);
  await laptop.tabs[1]!.evaluate(`
    globalThis.done = api.inbox.markRead([api.inbox.getSnapshot().items[2].id]); undefined`);
  await expectShown(laptop.tabs, { unread: 2, titles: ['3', '2', '1'] });
  await expectShown(phone.tabs, { unread: 3, titles: ['3', '2', '1'] });
  await send(app, 'ann', '4');
  await expectShown(phone.tabs, { unread: 4, titles: ['4', '3', '2', '1'] });
  await phone.tabs[0]!.evaluate('api.inbox.remove([api.inbox.getSnapshot().items[2].id])');
  await expectShown(phone.tabs, { unread: 3, titles: ['4', '3', '1'] });
  await laptop.context.setOffline(false);
  await laptop.tabs[1]!.evaluate('done');
  await expectShown([...laptop.tabs, ...phone.tabs], { unread: 2, titles: ['4', '3', '1'] });
  for (const page of laptop.tabs) expect((await heardBy(page)).at(-1)).toBe('4');
  expect(await app.inbox.counts('ann')).toEqual({ total: 2, byCategory: { a: 2 } });
}, 90_000);

test('the server restarts and has forgotten the channels: nothing is missing and nothing comes twice', async () => {
  const url = await newDatabase();
  const before = await startInboxApp({ url, files });
  const laptop = await open(before, 'ann', 3);
  const phone = await open(before, 'ann');
  const pages = pagesOf([laptop, phone]);
  await send(before, 'ann', '1');
  await expectShown(pages, { unread: 1, titles: ['1'] });
  await before[Symbol.asyncDispose]();
  await using after = await startInboxApp({ url, files, port: before.port });
  await send(after, 'ann', '2');
  for (const page of pages) await becomesLive(page);
  await send(after, 'ann', '3');
  await expectShown(pages, { unread: 3, titles: ['3', '2', '1'] });
  for (const page of pages) expect(await heardBy(page)).toEqual(['1', '2', '3']);
  await vi.waitFor(() => {
    const all = [...before.acknowledged, ...after.acknowledged];
    expect(new Set(all).size).toBe(6);
    expect(after.hub.metrics.clients).toBe(2);
  }, patient);
}, 90_000);

test('tabs die one after the other: the others go on, and the device acknowledges once', async () => {
  await using app = await startInboxApp({ url: await newDatabase(), files });
  const device = await open(app, 'ann', 4);
  const sent: string[] = [];
  while (device.tabs.length > 1) {
    sent.push(`${sent.length}`);
    await send(app, 'ann', sent.at(-1)!);
    for (const page of device.tabs) {
      await vi.waitFor(async () => expect(await heardBy(page)).toEqual(sent), patient);
    }
    // The first of them speaks for the browser and holds its connection.
    await device.tabs.shift()!.close();
    sent.push(`${sent.length}`);
    await send(app, 'ann', sent.at(-1)!);
  }
  const [last] = device.tabs;
  await vi.waitFor(async () => expect(await heardBy(last!)).toEqual(sent), patient);
  const titles = sent.toReversed();
  await expectShown(device.tabs, { unread: sent.length, titles });
  // One that comes late is shown the same, and told of nothing that the device had.
  const late = await openTab(device, app);
  await expectShown([late], { unread: sent.length, titles });
  expect(await heardBy(late)).toEqual([]);
  await vi.waitFor(
    () => expect(new Set(app.acknowledged).size, 'acknowledged').toBe(sent.length),
    patient,
  );
  const devices = new Set(app.acknowledged.map((one) => one.split(' ')[0]));
  expect(devices.size).toBe(1);
  expect(device.complaints).toEqual([]);
}, 90_000);
