import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { newContext, useBrowser } from '../test-browser.ts';
import { becomesLive, expectShown, patient } from './browser-devices.ts';
import type { InboxApp } from './inbox-app.ts';
import { send, useInboxBrowser } from './inbox-browser.ts';

const inboxes = useInboxBrowser();
const chromium = useBrowser();

async function open(app: InboxApp, parameters = ''): Promise<Page> {
  const context = await newContext(chromium.browser);
  const page = await context.newPage();
  await page.goto(`${app.url}/?user=ann&elected${parameters}`);
  return page;
}

async function openLive(app: InboxApp, parameters = ''): Promise<Page> {
  const page = await open(app, parameters);
  await becomesLive(page);
  return page;
}

const focused = (page: Page): Promise<string> =>
  page.evaluate(
    'document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent',
  );

/** What a screen reader is given to say from now on: text that is put into a live region. */
const listen = (page: Page): Promise<unknown> =>
  page.evaluate(`{
    globalThis.said = [];
    new MutationObserver((changes) => {
      for (const { target, addedNodes } of changes) {
        const region = (target.closest ? target : target.parentElement).closest('[role=status]');
        const isNews = region !== null && (addedNodes.length > 0 || target.nodeType === 3);
        if (isNews && region.textContent !== '') said.push(region.textContent);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  }`);

const said = (page: Page): Promise<string[]> => page.evaluate('said');

test('what comes is said once however many bells there are, the same words again, and in time', async () => {
  await using app = await inboxes.start();
  const page = await openLive(app, '&twice');
  await listen(page);
  const sendThree = () => Promise.all(['a', 'b', 'c'].map((title) => send(app, 'ann', title)));
  await sendThree();
  const news = '3 new notifications';
  await vi.waitFor(async () => expect(await said(page)).toEqual([news]), patient);
  await page.locator('.hf-bell').first().click();
  await sendThree();
  await vi.waitFor(async () => expect(await said(page)).toEqual([news, news]), patient);
  const inDrawer = page.getByRole('dialog').getByRole('status').filter({ hasText: news });
  expect(await inDrawer.count()).toBe(1);
  // Notifications that never cease do not keep from saying that there are some.
  await vi.waitFor(
    async () => {
      await send(app, 'ann', 'and again');
      expect((await said(page)).length).toBeGreaterThan(2);
    },
    { timeout: 20_000, interval: 100 },
  );
});

test('the focus stays when all is read, and goes on with what the last page brings', async () => {
  await using app = await inboxes.start();
  const titles = Array.from({ length: 25 }, (_, index) => `n${index}`);
  for (const title of titles) await send(app, 'ann', title);
  const page = await openLive(app);
  await page.locator('.hf-bell').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Enter');
  await expectShown([page], { unread: 0, titles: titles.slice(-20).toReversed() });
  expect(await focused(page)).toBe('Mark all read');
  await page.getByRole('button', { name: 'Show older' }).focus();
  await page.keyboard.press('Enter');
  await expectShown([page], { unread: 0, titles: titles.toReversed() });
  await vi.waitFor(async () => expect(await focused(page)).toBe('n4'), patient);
});

test('one that comes is drawn, and not all the others with it', async () => {
  await using app = await inboxes.start();
  for (let index = 0; index < 20; index++) await send(app, 'ann', `n${index}`);
  const page = await openLive(app);
  await page.locator('.hf-bell').click();
  await page.getByRole('button', { name: 'Archive: n0' }).waitFor({ state: 'attached' });
  await page.evaluate('api.drawn.splice(0)');
  await send(app, 'ann', 'new');
  await page.getByRole('button', { name: 'Archive: new' }).waitFor({ state: 'attached' });
  // The one that was the first can be reached with Tab no more.
  const drawn: string[] = await page.evaluate('api.drawn');
  expect(new Set(drawn)).toEqual(new Set(['new', 'n19']));
});

test('whoever signs in next sees and hears nothing of the user before', async () => {
  await using app = await inboxes.start();
  await send(app, 'ann', 'of ann');
  const page = await openLive(app);
  await page.locator('.hf-bell').click();
  await listen(page);
  await send(app, 'ann', 'new of ann');
  await vi.waitFor(async () => expect(await said(page)).toHaveLength(1), patient);
  await page.evaluate('said.splice(0)');
  await send(app, 'ann', 'newest of ann');
  await page.getByText('newest of ann').first().waitFor();
  await page.evaluate(`{
    globalThis.seen = [];
    api.signInAs('bob');
    const look = () => {
      seen.push(document.body.textContent);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }`);
  await becomesLive(page);
  await send(app, 'bob', 'of bob');
  await vi.waitFor(
    async () => expect(await said(page)).toContain('New notification: of bob'),
    patient,
  );
  const seen: string[] = await page.evaluate('seen');
  expect(seen.filter((text) => text.includes('of ann'))).toEqual([]);
  expect(await said(page)).toEqual(['New notification: of bob']);
});

test('a server that does not answer is told of from the beginning, and forgotten when it does', async () => {
  await using app = await inboxes.start();
  await send(app, 'ann', 'here');
  app.refuseWith = 503;
  const page = await open(app, '&panel');
  const notice = page.getByText('The server cannot be reached. It is tried again.');
  await notice.waitFor();
  app.refuseWith = undefined;
  await page.getByText('here').waitFor();
  expect(await notice.count()).toBe(0);
});

test('numbers are written as in the language of the page, great ones are not counted out on the bell', async () => {
  await using app = await inboxes.start();
  for (let index = 0; index < 119; index++) await send(app, 'ann', `n${index}`);
  const groupKey = 'room';
  for (const title of ['first', 'second']) {
    await app.inbox.send({ to: { user: 'ann' }, category: 'a', title, groupKey });
  }
  const page = await openLive(app, '&locale=ar-EG');
  await vi.waitFor(
    async () => expect(await page.locator('.hf-badge').textContent()).toBe('٩٩+'),
    patient,
  );
  expect(await page.locator('.hf-bell').getAttribute('aria-label')).toContain('١٢٠');
  await page.locator('.hf-bell').click();
  const dialog = page.getByRole('dialog');
  expect(await dialog.locator('.hf-count').textContent()).toBe('١٢٠');
  expect(await dialog.locator('.hf-group').first().innerText()).toContain('×٢');
  await dialog.getByRole('button', { name: 'Mark all read' }).click();
  await dialog.locator('.hf-count').waitFor({ state: 'detached' });
  for (let index = 0; index < 3; index++) await send(app, 'ann', `again${index}`);
  await vi.waitFor(
    async () => expect(await page.locator('.hf-badge').textContent()).toBe('٣'),
    patient,
  );
});

test('with colors of the system the chosen filter is told from the others', async () => {
  await using app = await inboxes.start();
  const page = await openLive(app, '&panel');
  await page.emulateMedia({ forcedColors: 'active' });
  const [chosen, around]: string[] = await page.evaluate(
    `['input:checked + span', '.hf-panel'].map(
      (one) => getComputedStyle(document.querySelector(one)).backgroundColor,
    )`,
  );
  expect(chosen).not.toBe(around);
});

test('with text of twice the size on a small phone everything can still be reached', async () => {
  await using app = await inboxes.start();
  await send(app, 'ann', 'here');
  const page = await openLive(app);
  await page.setViewportSize({ width: 320, height: 640 });
  await page.evaluate('document.documentElement.style.fontSize = "200%"');
  await page.locator('.hf-bell').click();
  await page.evaluate(
    'Promise.all(document.querySelector("dialog").getAnimations().map(({ finished }) => finished))',
  );
  const outside: string[] = await page.evaluate(
    `[...document.querySelectorAll('dialog :is(button, label)')]
      .filter((one) => one.getBoundingClientRect().right > innerWidth)
      .map((one) => one.getAttribute('aria-label') ?? one.textContent)`,
  );
  expect(outside).toEqual([]);
});
