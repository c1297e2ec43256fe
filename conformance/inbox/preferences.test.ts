import type { Page } from 'playwright-core';
import { mutedForGood, type Preferences } from '@holdfast/client/inbox';
import { expect, test, vi } from 'vitest';
import { patient } from './browser-devices.ts';
import type { InboxApp } from './inbox-app.ts';
import { useInboxBrowser } from './inbox-browser.ts';

const inboxes = useInboxBrowser();

async function openSettings(page: Page): Promise<ReturnType<Page['getByRole']>> {
  // What is behind another tab is drawn once a second.
  await page.bringToFront();
  await page.locator('.hf-bell').click();
  await page.getByRole('button', { name: 'Notification settings' }).click();
  const settings = page.getByRole('region', { name: 'Notification settings' });
  await settings.getByRole('group', { name: 'Quiet hours' }).waitFor();
  return settings;
}

const expectPreferences = (app: InboxApp, expected: unknown): Promise<void> =>
  vi.waitFor(async () => expect(await app.inbox.preferences('ann')).toEqual(expected), patient);

const focused = (page: Page): Promise<string> =>
  page.evaluate(`{
    const { activeElement: element } = document;
    element.getAttribute('aria-label') ?? element.closest('label')?.textContent ?? element.textContent;
  }`);

test('a screen reader is told what can be set, and how it is', async () => {
  await using app = await inboxes.start();
  await app.inbox.setPreferences('ann', {
    categories: { '*': { email: true }, ads: { inApp: false, mutedUntil: mutedForGood } },
    quietHours: { from: '21:30', to: '06:00', timeZone: 'Asia/Tokyo' },
  });
  await app.inbox.subscribe('ann', 'sale');
  const device = await inboxes.open(app, { user: 'ann' });
  const settings = await openSettings(device.tabs[0]!);
  const tree = (await settings.ariaSnapshot()).replaceAll("'", '');
  for (const line of [
    '- heading "Notification settings" [level=2]',
    '- button "Back to the notifications"',
    '- group "All notifications"',
    '- button "Mute: All notifications"',
    '- checkbox "In the app" [checked]',
    '- checkbox "E-mail" [checked]',
    '- group "Orders"',
    'From the payment to your door.',
    '- group "Offers"',
    '- button "Unmute: Offers"',
    '- group "Quiet hours"',
    '- checkbox "Be silent at certain hours" [checked]',
    'Time zone: Asia/Tokyo',
    '- checkbox "News of the shop"',
    '- checkbox "Sales" [checked]',
  ]) {
    expect(tree).toContain(line);
  }
  const offers = settings.getByRole('group', { name: 'Offers' });
  expect(await offers.getByRole('checkbox', { name: 'In the app' }).isChecked()).toBe(false);
  expect(await offers.textContent()).toContain('Muted');
  // The server has no webhook here.
  expect(tree).not.toContain('Elsewhere');
  expect(await settings.getByLabel('From', { exact: true }).inputValue()).toBe('21:30');
  expect(device.complaints()).toEqual([]);
});

test('everything can be set with the keyboard, and the focus is never lost', async () => {
  await using app = await inboxes.start();
  const device = await inboxes.open(app, { user: 'ann' });
  const page = device.tabs[0]!;
  const { keyboard } = page;
  await page.locator('.hf-bell').focus();
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.getByRole('button', { name: 'Notification settings' }).focus();
  await keyboard.press('Enter');
  await vi.waitFor(async () => expect(await focused(page)).toBe('Back to the notifications'));
  await page.getByRole('group', { name: 'Offers' }).waitFor();
  const tabs = async (count: number): Promise<string> => {
    for (let index = 0; index < count; index++) await keyboard.press('Tab');
    return focused(page);
  };
  expect(await tabs(1)).toBe('Close');
  expect(await tabs(1)).toBe('Mute: All notifications');
  await keyboard.press('Enter');
  expect(await tabs(1)).toBe('1 hour');
  expect(await tabs(3)).toBe('Until I unmute');
  await keyboard.press('Enter');
  await expectPreferences(app, {
    categories: { '*': { mutedUntil: mutedForGood } },
    quietHours: null,
  });
  // What was chosen is gone, and its button has the focus again.
  await vi.waitFor(async () => expect(await focused(page)).toBe('Unmute: All notifications'));
  await keyboard.press('Enter');
  await expectPreferences(app, { categories: {}, quietHours: null });
  expect(await focused(page)).toBe('Mute: All notifications');
  expect(await tabs(1)).toBe('In the app');
  expect(await tabs(1)).toBe('E-mail');
  await keyboard.press('Space');
  await expectPreferences(app, { categories: { '*': { email: true } }, quietHours: null });
  expect(await focused(page)).toBe('E-mail');
  await page.getByRole('checkbox', { name: 'Be silent at certain hours' }).focus();
  await keyboard.press('Space');
  const timeZone: string = await page.evaluate(
    'new Intl.DateTimeFormat().resolvedOptions().timeZone',
  );
  const wanted = (from: string): Preferences => ({
    categories: { '*': { email: true } },
    quietHours: { from, to: '07:00', timeZone },
  });
  await expectPreferences(app, wanted('22:00'));
  // What is being typed counts once it is whole.
  const requests = app.requests.length;
  await keyboard.press('Tab');
  expect(await focused(page)).toBe('From');
  await page.getByLabel('From', { exact: true }).fill('23:15');
  expect(app.requests.length).toBe(requests);
  await keyboard.press('Enter');
  await expectPreferences(app, wanted('23:15'));
  expect(app.requests.slice(requests)).toEqual(['PATCH preferences']);
  await page.getByRole('checkbox', { name: 'Sales' }).focus();
  await keyboard.press('Space');
  await vi.waitFor(async () => expect(await app.inbox.topics('ann')).toEqual(['sale']), patient);
  await page.getByRole('button', { name: 'Back to the notifications' }).press('Enter');
  await vi.waitFor(async () => expect(await focused(page)).toBe('Notification settings'));
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  expect(device.complaints()).toEqual([]);
});

test('what is set in one tab or device is seen in the others; what is refused is taken back and said', async () => {
  await using app = await inboxes.start();
  const laptop = await inboxes.open(app, { user: 'ann', tabs: 2 });
  const phone = await inboxes.open(app, { user: 'ann' });
  const pages = [...laptop.tabs, ...phone.tabs];
  const screens: Awaited<ReturnType<typeof openSettings>>[] = [];
  for (const page of pages) screens.push(await openSettings(page));
  const emailOf = (index: number) =>
    screens[index]!.getByRole('group', { name: 'Orders' }).getByRole('checkbox', {
      name: 'E-mail',
    });
  const expectEmail = (isChecked: boolean): Promise<void> =>
    vi.waitFor(async () => {
      for (const index of pages.keys()) expect(await emailOf(index).isChecked()).toBe(isChecked);
    }, patient);
  await expectEmail(true);
  await emailOf(0).uncheck();
  await expectEmail(false);
  await emailOf(2).check();
  await expectEmail(true);
  // The application changes it too.
  await app.inbox.changePreferences('ann', { categories: { orders: { email: false } } });
  await expectEmail(false);
  app.refuseWith = 403;
  await emailOf(1).click();
  await screens[1]!.getByRole('alert').getByText('That did not work').waitFor();
  await expectEmail(false);
  app.refuseWith = undefined;
  // Two that are away at the same time undo nothing of each other.
  for (const { context } of [laptop, phone]) await context.setOffline(true);
  await pages[0]!.bringToFront();
  await emailOf(0).check();
  await screens[2]!.getByRole('checkbox', { name: 'Sales' }).check();
  await screens[2]!
    .getByRole('group', { name: 'Offers' })
    .getByRole('checkbox', { name: 'In the app' })
    .uncheck();
  for (const { context } of [laptop, phone]) await context.setOffline(false);
  await expectPreferences(app, {
    categories: { orders: { email: true }, ads: { inApp: false } },
    quietHours: null,
  });
  await expectEmail(true);
  await vi.waitFor(async () => {
    for (const screen of screens) {
      expect(await screen.getByRole('checkbox', { name: 'Sales' }).isChecked()).toBe(true);
    }
  }, patient);
  expect([...laptop.complaints(), ...phone.complaints()]).toEqual([]);
});
