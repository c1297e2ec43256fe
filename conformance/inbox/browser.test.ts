import type { Page } from 'playwright-core';
import { describe, expect, test, vi } from 'vitest';
import { Agreement } from './agreement.ts';
import {
  becomesLive,
  type Device,
  expectShown,
  heardBy,
  openTab,
  patient,
  type Sharing,
} from './browser-devices.ts';
import type { InboxApp } from './inbox-app.ts';
import { newDatabase, send, useInboxBrowser } from './inbox-browser.ts';

const inboxes = useInboxBrowser();

const open = (app: InboxApp, user: string, tabs = 1): Promise<Device> =>
  inboxes.open(app, { user, tabs });

const pagesOf = (devices: readonly Device[]): Page[] => devices.flatMap(({ tabs }) => tabs);
const complaintsOf = (devices: readonly Device[]): string[] =>
  devices.flatMap((device) => device.complaints());

const snapshotsRead = ({ requests }: InboxApp): number =>
  requests.filter((request) => request === 'GET ').length;

const first = 'api.inbox.getSnapshot().items[0].id';

test('two users with three devices each: counts agree everywhere within a second of every change, and nothing crosses', async ({
  annotate,
}) => {
  await using app = await inboxes.start();
  const ann = [await open(app, 'ann', 3), await open(app, 'ann'), await open(app, 'ann')];
  const bob = [await open(app, 'bob', 2), await open(app, 'bob'), await open(app, 'bob')];
  const [annPages, bobPages] = [pagesOf(ann), pagesOf(bob)];
  // Tabs of a browser share one connection, and what one of them has read.
  expect(app.hub.metrics.clients).toBe(6);
  expect(snapshotsRead(app)).toBe(6);
  using agreement = new Agreement();
  await agreement.watch([...annPages, ...bobPages]);
  const change = (pages: readonly Page[], unread: number, act: () => Promise<unknown>) =>
    agreement.after(act, { pages, unread });
  const doIn = (page: Page, action: string) => page.evaluate(`api.inbox.${action}`);

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
  for (const page of annPages) expect(await heardBy(page)).toEqual(['a1', 'a2', 'a3']);
  for (const page of bobPages) expect(await heardBy(page)).toEqual(['b1', 'b2']);

  // Each device acknowledges each notification, and does so once.
  let received = 3;
  const acknowledged = (): Promise<void> =>
    vi.waitFor(() => expect(app.acknowledged).toHaveLength(3 * received + 3 * 2), patient);
  await acknowledged();

  // Offline and back: what came meanwhile stays unread, what was read there is read everywhere.
  const [laptop, ...others] = ann;
  for (const before of [0, 1, 1]) {
    await laptop!.context.setOffline(true);
    for (const page of laptop!.tabs) {
      await page.waitForFunction('api.inbox.getSnapshot().status === "stale"', undefined, patient);
    }
    const done = await laptop!.tabs[1]!.evaluateHandle('({ promise: api.inbox.readAll() })');
    await change(pagesOf(others), before + 1, () => send(app, 'ann', 'while away'));
    await agreement.afterReconnect(() => laptop!.context.setOffline(false), {
      pages: annPages,
      offline: laptop!.tabs,
      unread: 1,
    });
    await done.evaluate('({ promise }) => promise');
    received += 1;
    await acknowledged();
  }

  expect(new Set(app.acknowledged).size).toBe(app.acknowledged.length);
  expect(complaintsOf([...ann, ...bob])).toEqual([]);
  await annotate(agreement.report);
});

test('offline and back: what was known stays, what is done is shown at once and carried out later', async () => {
  await using app = await inboxes.start();
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
});

test('the server restarts and has forgotten the channels: nothing is missing and nothing comes twice', async () => {
  const url = await newDatabase();
  const before = await inboxes.start({ url });
  const laptop = await open(before, 'ann', 3);
  const phone = await open(before, 'ann');
  const pages = pagesOf([laptop, phone]);
  await send(before, 'ann', '1');
  await expectShown(pages, { unread: 1, titles: ['1'] });
  await before[Symbol.asyncDispose]();
  await using after = await inboxes.start({ url, port: before.port });
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
});

describe.each<Sharing>(['elected', 'worker'])('tabs that share a connection, %s', (sharing) => {
  test('one connection and one reading for all of them; they die one after the other, and the others go on', async () => {
    await using app = await inboxes.start();
    const device = await inboxes.open(app, { user: 'ann', tabs: 4, sharing });
    expect(app.hub.metrics).toMatchObject({ clients: 1, connections: 1, subscriptions: 1 });
    expect(snapshotsRead(app)).toBe(1);
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
    // Whoever takes over continues from where the others are, and reads nothing.
    expect(snapshotsRead(app)).toBe(1);
    expect(app.hub.metrics).toMatchObject({ clients: 1, subscriptions: 1 });
    await vi.waitFor(
      () => expect(new Set(app.acknowledged).size, 'acknowledged').toBe(sent.length),
      patient,
    );
    const devices = new Set(app.acknowledged.map((one) => one.split(' ')[0]));
    expect(devices.size).toBe(1);
    expect(device.complaints()).toEqual([]);
  });
});
