import type { Page } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createClient } from '@holdfast/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { InboxBell, InboxPanel, InboxPreferences, InboxProvider } from '@holdfast/react/inbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Device, expectShown, patient } from './browser-devices.ts';
import type { InboxApp } from './inbox-app.ts';
import { useInboxBrowser } from './inbox-browser.ts';

const inboxes = useInboxBrowser();

async function open(app: InboxApp): Promise<{ readonly page: Page; readonly device: Device }> {
  const device = await inboxes.open(app, { user: 'ann' });
  return { page: device.tabs[0]!, device };
}

type Content = Partial<Parameters<InboxApp['inbox']['send']>[0]>;

const send = async (app: InboxApp, title: string, more: Content = {}): Promise<void> => {
  await app.inbox.send({ to: { user: 'ann' }, category: 'orders', title, ...more });
};

const focused = (page: Page): Promise<string> =>
  page.evaluate(`{
    const { activeElement: element } = document;
    element.getAttribute('aria-label') ?? element.textContent;
  }`);

test('a screen reader is told what there is, by role and name', async () => {
  await using app = await inboxes.start();
  await send(app, 'Payment failed', { severity: 'error', body: 'The card was declined.' });
  await send(app, 'Your order has left', { link: '/orders/7', source: 'Shop' });
  const { page, device } = await open(app);
  await expectShown([page], { unread: 2, titles: ['Your order has left', 'Payment failed'] });
  expect(await page.locator('header').ariaSnapshot()).toContain(
    '- button "Notifications, 2 unread"',
  );
  await page.getByRole('button', { name: 'Notifications, 2 unread' }).click();
  const dialog = page.getByRole('dialog', { name: 'Notifications' });
  const tree = (await dialog.ariaSnapshot()).replaceAll("'", '');
  for (const line of [
    '- heading "Notifications" [level=2]',
    '- button "Mark all read"',
    '- button "Notification settings"',
    '- button "Close"',
    '- group "Show"',
    '- radio "All" [checked]',
    '- radio "Unread 2"',
    '- list "Notifications"',
    '- listitem',
    '- heading "Unread: Your order has left" [level=3]',
    '- link "Unread: Your order has left"',
    '- button "Unread: Payment failed"',
    'Error',
    '- paragraph: The card was declined.',
    '- button "Mark as read: Payment failed"',
    '- button "Archive: Payment failed"',
  ]) {
    expect(tree).toContain(line);
  }
  // What comes is said once, politely; the number is in the name of the bell.
  const missed = page.locator('[role=status]').filter({ hasText: '2 new notifications' });
  await missed.waitFor({ state: 'attached' });
  await send(app, 'Refunded');
  const said = page.getByRole('status').filter({ hasText: 'New notification: Refunded' });
  await said.waitFor({ state: 'attached' });
  expect(await page.locator('.hf-bell').getAttribute('aria-label')).toBe('Notifications, 3 unread');
  const time = dialog.locator('time').first();
  expect(await time.getAttribute('title')).toMatch(/\d{4}/);
  expect(await time.getAttribute('datetime')).toMatch(/^\d{4}-\d\d-\d\dT/);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  expect(
    await page.evaluate('getComputedStyle(document.querySelector("dialog")).animationName'),
  ).toBe('none');
  expect(device.complaints()).toEqual([]);
});

test('everything can be done with the keyboard, and the focus is never lost', async () => {
  await using app = await inboxes.start();
  for (const title of ['1', '2', '3', '4']) await send(app, title);
  const { page } = await open(app);
  const { keyboard } = page;
  await expectShown([page], { unread: 4, titles: ['4', '3', '2', '1'] });
  await page.getByRole('button', { name: 'before' }).focus();
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('Notifications, 4 unread');
  await keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Notifications' });
  await dialog.waitFor();
  expect(await focused(page)).toBe('Mark all read');
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('Notification settings');
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('Close');
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('Unread: 4');
  await keyboard.press('ArrowDown');
  await keyboard.press('ArrowDown');
  expect(await focused(page)).toBe('Unread: 2');
  await keyboard.press('Enter');
  await expectShown([page], { unread: 3, titles: ['4', '3', '2', '1'] });
  expect(await focused(page)).toBe('2');
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('Mark as unread: 2');
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('Archive: 2');
  await keyboard.press('Enter');
  await expectShown([page], { unread: 3, titles: ['4', '3', '1'] });
  await vi.waitFor(async () => expect(await focused(page)).toBe('Unread: 1'), patient);
  await keyboard.press('Home');
  expect(await focused(page)).toBe('Unread: 4');
  await keyboard.press('End');
  expect(await focused(page)).toBe('Unread: 1');
  // One that comes does not move the focus.
  await send(app, '5');
  await expectShown([page], { unread: 4, titles: ['5', '4', '3', '1'] });
  expect(await focused(page)).toBe('Unread: 1');
  // Nothing behind the drawer can be reached.
  for (let index = 0; index < 12; index++) {
    await keyboard.press('Tab');
    expect(['before', 'after']).not.toContain(await focused(page));
  }
  await keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  expect(await focused(page)).toBe('Notifications, 4 unread');
  await keyboard.press('Enter');
  await dialog.waitFor();
  expect(await focused(page)).toBe('Mark all read');
  await keyboard.press('Enter');
  await expectShown([page], { unread: 0, titles: ['5', '4', '3', '1'] });
});

test('closed and opened again before the browser has told of it, the drawer is open', async () => {
  await using app = await inboxes.start();
  const { page } = await open(app);
  await page.locator('.hf-bell').click();
  await page.getByRole('dialog').waitFor();
  await page.evaluate(`(async () => {
    const dialog = document.querySelector('dialog');
    const told = new Promise((resolve) => dialog.addEventListener('close', resolve));
    dialog.dispatchEvent(new Event('cancel', { cancelable: true }));
    while (dialog.open) await Promise.resolve();
    document.querySelector('.hf-bell').click();
    await told;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  })()`);
  expect(await page.getByRole('dialog').isVisible()).toBe(true);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
});

test('the archive gives back what was put there; a change that is refused is taken back and said', async () => {
  await using app = await inboxes.start();
  for (const title of ['1', '2']) await send(app, title);
  const { page } = await open(app);
  await expectShown([page], { unread: 2, titles: ['2', '1'] });
  await page.locator('.hf-bell').click();
  await page.getByRole('button', { name: 'Archive: 2' }).click();
  await expectShown([page], { unread: 1, titles: ['1'] });
  await page.getByRole('radio', { name: 'Archive' }).check();
  await expectShown([page], { unread: 1, titles: ['2'] });
  await page.getByRole('button', { name: 'Move back: 2' }).click();
  await page.getByText('The archive is empty').waitFor();
  await page.getByRole('radio', { name: 'All' }).check();
  await expectShown([page], { unread: 2, titles: ['2', '1'] });
  app.refuseWith = 403;
  await page.getByRole('button', { name: 'Mark all read' }).click();
  await page.getByRole('alert').getByText('That did not work').waitFor();
  await expectShown([page], { unread: 2, titles: ['2', '1'] });
  app.refuseWith = undefined;
  await page.getByRole('button', { name: 'Mark all read' }).click();
  await expectShown([page], { unread: 0, titles: ['2', '1'] });
  await page.getByRole('radio', { name: 'Unread' }).check();
  await page.getByText('You are all caught up').waitFor();
  expect(await app.inbox.counts('ann')).toMatchObject({ total: 0 });
});

test('a long list comes in pages, without a gap, while more arrive', async () => {
  await using app = await inboxes.start();
  const titles = Array.from({ length: 75 }, (_, index) => `n${index}`);
  for (const title of titles) await send(app, title);
  const { page } = await open(app);
  await expectShown([page], { unread: 75, titles: titles.slice(-20).toReversed() });
  await page.locator('.hf-bell').click();
  const more = page.getByRole('button', { name: 'Show older' });
  await Promise.all([more.click(), send(app, 'live')]);
  const all = ['live', ...titles.toReversed()];
  await expectShown([page], { unread: 76, titles: all.slice(0, 71) });
  await more.click();
  await expectShown([page], { unread: 76, titles: all });
  await more.waitFor({ state: 'hidden' });
  expect(app.requests.filter((request) => request === 'GET notifications')).toHaveLength(2);
});

test('a list is read from the side that the page is read from, each text from its own', async () => {
  await using app = await inboxes.start();
  await send(app, 'Your order has left');
  await send(app, 'وصل طلبك', { source: 'متجر' });
  const { page } = await open(app);
  await page.locator('.hf-bell').click();
  await expectShown([page], { unread: 2, titles: ['وصل طلبك', 'Your order has left'] });
  expect(await page.locator('.hf-meta').allInnerTexts()).toEqual([
    expect.stringContaining('متجر'),
    expect.stringContaining('Orders'),
  ]);
  for (const direction of ['ltr', 'rtl']) {
    // All at one moment: the drawer may be sliding in.
    const found = await page.evaluate(`(() => {
      document.documentElement.dir = '${direction}';
      const box = (selector) => document.querySelector(selector).getBoundingClientRect();
      const [start, end] = ${direction === 'ltr' ? "['left', 'right']" : "['right', 'left']"};
      return {
        indent: Math.round(box('.hf-severity')[start] - box('.hf-head h2')[start]),
        gap: Math.abs(box('.hf-unread')[start] - box('.hf-headline > span:last-child')[end]),
        times: [...document.querySelectorAll('.hf-meta time')].map(
          (time) => getComputedStyle(time).direction,
        ),
      };
    })()`);
    expect(found).toEqual({
      indent: 0,
      gap: expect.toSatisfy((gap: number) => gap >= 8),
      times: ['ltr', 'ltr'],
    });
  }
});

test('text is text and links lead to pages, whatever the server said', async () => {
  await using app = await inboxes.start();
  const { page, device } = await open(app);
  const attempts = [
    '<img src=x onerror="globalThis.pwned = 1">',
    '<script>globalThis.pwned = 2</script>',
    '"><svg onload="globalThis.pwned = 3">',
    '{{constructor.constructor("globalThis.pwned = 4")()}}',
  ];
  for (const text of attempts) await send(app, text, { body: text, source: text, groupKey: text });
  await expectShown([page], { unread: 4, titles: attempts.toReversed() });
  const links = [
    'javascript:globalThis.pwned = 5',
    ' JaVaScRiPt:globalThis.pwned=6',
    'java\nscript:globalThis.pwned=7',
    'data:text/html,<script>opener.pwned=8</script>',
    'vbscript:x',
    '//evil.example/',
    '/\\evil.example/',
    'blob:https://evil.example/x',
  ];
  for (const link of links) {
    await expect(
      app.inbox.send({ to: { user: 'ann' }, category: 'a', title: 'x', link }),
    ).rejects.toThrow('link');
  }
  // A server that was taken over, or is not ours, would send them all the same.
  const { version, items, unread } = await app.inbox.snapshot('ann');
  for (const [index, link] of links.entries()) {
    await app.hub.publish(app.inbox.channelOf('ann'), {
      type: 'created',
      notification: { ...items[0], id: `f-${index}`, title: link, link },
      silent: false,
      replaces: null,
      version: version + 1 + index,
      unread,
    });
  }
  await vi.waitFor(
    async () => expect(await page.evaluate('api.inbox.getSnapshot().items.length')).toBe(12),
    patient,
  );
  await page.locator('.hf-bell').click();
  const headlines = page.locator('.hf-headline');
  expect(await headlines.count()).toBe(12);
  expect(await page.locator('dialog a').count()).toBe(0);
  expect(await page.locator('.hf-list :is(img, script, iframe, svg[onload])').count()).toBe(0);
  await page.evaluate(
    'for (const headline of document.querySelectorAll(".hf-headline")) headline.click()',
  );
  expect(await page.evaluate('globalThis.pwned')).toBeUndefined();
  expect(page.url()).toBe(`${app.url}/?user=ann&elected`);
  expect(device.complaints()).toEqual([]);
});

test('on a server they render, and ask nobody anything', () => {
  const client = createClient({ url: 'http://127.0.0.1:1' });
  onTestFinished(() => client.close());
  let asked = 0;
  const getToken = (): Promise<string> => {
    asked += 1;
    return Promise.resolve('');
  };
  const api = createUserApi({ url: 'http://127.0.0.1:1', getToken });
  const inbox = createInboxStore({ client, api });
  onTestFinished(() => inbox.close());
  const children = [
    createElement(InboxBell, { key: 'bell' }),
    createElement(InboxPanel, { key: 'panel', labels: { title: 'Nachrichten' } }),
    createElement(InboxPreferences, { key: 'preferences' }),
  ];
  const html = renderToString(createElement(InboxProvider, { inbox, children }));
  expect(html).toContain('aria-label="Notifications"');
  expect(html).toContain('Nachrichten</h2>');
  expect(html).toContain('Loading notifications');
  expect(html).toContain('Loading settings');
  expect(html.match(/data-href="holdfast-theme/g)).toHaveLength(1);
  expect(asked).toBe(0);
});
