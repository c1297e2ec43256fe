import { expect, test, vi } from 'vitest';
import { patient } from './browser-devices.ts';
import { send, useInboxBrowser } from './inbox-browser.ts';

const inboxes = useInboxBrowser({ hasScreenReader: true });

const count = 120;
const titles = Array.from({ length: count }, (_, index) => `notification n${index} of many`);

interface AccessibleNode {
  readonly ignored: boolean;
  readonly role?: { readonly value: string };
  readonly name?: { readonly value: string };
}

/** How many in the list are laid out and painted. */
const drawn = `[...document.querySelectorAll('.hf-headline')].filter((headline) =>
  headline.checkVisibility({ contentVisibilityAuto: true })).length`;

/** Whether the headline with the focus can be seen, whole. */
const seesFocus = `(() => {
  const { top, bottom } = document.activeElement.getBoundingClientRect();
  const around = document.querySelector('.hf-scroll').getBoundingClientRect();
  return top >= around.top && bottom <= around.bottom;
})()`;

test('of a long list only what can be seen is drawn, and all of it can be reached, read and found', async () => {
  await using app = await inboxes.start();
  for (const title of titles) await send(app, 'ann', title);
  const device = await inboxes.open(app, { user: 'ann' });
  const page = device.tabs[0]!;
  await page.evaluate(`(async () => {
    while (api.inbox.getSnapshot().hasMore) await api.inbox.loadMore();
  })()`);
  await page.locator('.hf-bell').click();
  await page.getByRole('dialog').waitFor();
  expect(await page.locator('.hf-headline').count()).toBe(count);
  await vi.waitFor(async () => {
    expect(await page.evaluate(drawn)).toBeGreaterThan(0);
    expect(await page.evaluate(drawn)).toBeLessThan(count / 3);
  }, patient);

  // A screen reader has all of them, in their order.
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = (await devtools.send('Accessibility.getFullAXTree')) as unknown as {
    readonly nodes: readonly AccessibleNode[];
  };
  const headings = nodes.filter(({ ignored, role }) => !ignored && role?.value === 'heading');
  expect(headings.map(({ name }) => name?.value).slice(1)).toEqual(
    titles.toReversed().map((title) => `Unread: ${title}`),
  );

  // The keyboard goes where nothing was drawn before.
  const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent');
  await page.locator('.hf-headline').first().focus();
  await page.keyboard.press('End');
  expect(await focused()).toBe(`Unread: ${titles[0]}`);
  await vi.waitFor(async () => expect(await page.evaluate(seesFocus)).toBe(true), patient);
  await page.keyboard.press('ArrowUp');
  expect(await focused()).toBe(`Unread: ${titles[1]}`);
  await vi.waitFor(async () => expect(await page.evaluate(seesFocus)).toBe(true), patient);
  await page.keyboard.press('Home');
  await vi.waitFor(async () => expect(await page.evaluate(seesFocus)).toBe(true), patient);

  // So does a search in the page.
  expect(await page.evaluate('find("n30 of many")')).toBe(true);
  expect(
    await page.evaluate(
      'getSelection().anchorNode.parentElement.closest("li").querySelector(".hf-headline").textContent',
    ),
  ).toBe('Unread: notification n30 of many');
  expect(device.complaints()).toEqual([]);
});
