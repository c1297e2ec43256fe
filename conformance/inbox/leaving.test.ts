import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { expectShown, patient } from './browser-devices.ts';
import type { InboxApp } from './inbox-app.ts';
import { useInboxBrowser } from './inbox-browser.ts';

const inboxes = useInboxBrowser();

async function openDrawer(app: InboxApp): Promise<Page> {
  const device = await inboxes.open(app, { user: 'ann' });
  const page = device.tabs[0]!;
  await page.locator('.hf-bell').click();
  await page.getByRole('dialog').waitFor();
  return page;
}

const send = async (app: InboxApp, title: string, link?: string): Promise<void> => {
  const to = { user: 'ann' };
  await app.inbox.send({ to, category: 'a', title, ...(link === undefined ? {} : { link }) });
};

const sees = (app: InboxApp, request: string): Promise<void> =>
  vi.waitFor(() => expect(app.requests).toContain(request), patient);

async function isRead(app: InboxApp, title: string): Promise<boolean> {
  const { items } = await app.inbox.snapshot('ann');
  return items.some((item) => item.title === title && item.readAt !== null);
}

/**
 * All the connections that a browser makes to a server wait for answers: nothing more gets through.
 *
 * @returns what answers them
 */
async function occupyConnections(app: InboxApp, page: Page): Promise<() => void> {
  const { promise, resolve } = Promise.withResolvers<number>();
  app.refusals.set('nothing', promise);
  const other = await page.context().newPage();
  await other.goto(`${app.url}/worker.js`);
  // Of equal requests a browser makes one after the other.
  await other.evaluate('for (let n = 0; n < 6; n++) void fetch("/api/inbox/me/nothing?" + n)');
  await vi.waitFor(
    () => expect(app.requests.filter((one) => one === 'GET nothing')).toHaveLength(6),
    patient,
  );
  return () => resolve(404);
}

test('what was read by following a link is read, although the page ends before the server was told', async () => {
  await using app = await inboxes.start();
  // Another origin for the browser, which has connections of its own to it.
  const link = `${app.url.replace('127.0.0.1', 'localhost')}/worker.js`;
  await send(app, 'leads away', link);
  await send(app, 'other');
  const page = await openDrawer(app);
  await expectShown([page], { unread: 2, titles: ['other', 'leads away'] });
  // Nothing else is on its way to the server, nor is a live connection, whatever it is made of.
  await vi.waitFor(() => expect(app.acknowledged).toHaveLength(2), patient);
  await page.evaluate('api.client.close()');
  const release = await occupyConnections(app, page);
  await page.getByRole('button', { name: 'Archive: other' }).click();
  await page.getByRole('link', { name: 'leads away' }).click();
  await page.waitForURL(link);
  expect(app.requests.filter((one) => one.startsWith('POST '))).not.toContain('POST archive');
  release();
  await sees(app, 'POST archive');
  await vi.waitFor(async () => expect(await isRead(app, 'leads away')).toBe(true), patient);
});

test('a link that is opened in another tab has been read too, and the drawer stays as it is', async () => {
  await using app = await inboxes.start();
  for (const title of ['middle', 'control']) await send(app, title, '/worker.js');
  const page = await openDrawer(app);
  const titles = ['control', 'middle'];
  await expectShown([page], { unread: 2, titles });
  const follow = async (title: string, how: object): Promise<void> => {
    const [other] = await Promise.all([
      page.context().waitForEvent('page'),
      page.getByRole('link', { name: title }).click(how),
    ]);
    await other.waitForURL(`${app.url}/worker.js`);
    await other.close();
  };
  await follow('middle', { button: 'middle' });
  await expectShown([page], { unread: 1, titles });
  await follow('control', { modifiers: ['ControlOrMeta'] });
  await expectShown([page], { unread: 0, titles });
  expect(await page.getByRole('dialog').isVisible()).toBe(true);
  for (const title of titles) {
    await vi.waitFor(async () => expect(await isRead(app, title)).toBe(true), patient);
  }
});

test('a context menu is no reading', async () => {
  await using app = await inboxes.start();
  await send(app, 'still new', '/worker.js');
  const page = await openDrawer(app);
  await expectShown([page], { unread: 1, titles: ['still new'] });
  await page.getByRole('link', { name: 'still new' }).click({ button: 'right' });
  // Changes are sent in their order: the one before this would have been there first.
  await page.getByRole('button', { name: 'Archive: still new' }).click();
  await sees(app, 'POST archive');
  expect(app.requests).not.toContain('POST read');
});

test('a change that fails when the drawer is closed is told of: at once, and when it is opened', async () => {
  await using app = await inboxes.start();
  for (const title of ['1', '2']) await send(app, title);
  const page = await openDrawer(app);
  const dialog = page.getByRole('dialog');
  const outside = page.locator('.hf-toast');
  await expectShown([page], { unread: 2, titles: ['2', '1'] });
  const failLate = async (title: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<number>();
    app.refusals.set('archive', promise);
    app.requests.splice(0);
    await dialog.getByRole('button', { name: `Archive: ${title}` }).click();
    await sees(app, 'POST archive');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await outside.count()).toBe(0);
    resolve(403);
    await outside.waitFor();
  };
  await failLate('2');
  await expectShown([page], { unread: 2, titles: ['2', '1'] });
  expect(await page.getByRole('alert').innerText()).toMatch(/^That did not work.*\s+Archive: 2$/);
  // It is in reach of the keyboard, behind the bell.
  await page.locator('.hf-bell').focus();
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.closest(".hf-toast") !== null')).toBe(true);
  await page.locator('.hf-bell').click();
  await dialog.getByRole('alert').getByText('Archive: 2').waitFor();
  expect(await outside.count()).toBe(0);
  await failLate('1');
  await outside.getByRole('button', { name: 'Close' }).click();
  await outside.waitFor({ state: 'detached' });
  // Whoever took note of it is not told again.
  await page.locator('.hf-bell').click();
  await dialog.getByRole('button', { name: 'Archive: 1' }).waitFor({ state: 'attached' });
  expect(await dialog.getByText('That did not work').count()).toBe(0);
});
