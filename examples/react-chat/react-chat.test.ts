import { once } from 'node:events';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { chromium, type Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';

/** The program of this folder in a process of its own. */
async function startExample(port = '0') {
  const file = path.join(import.meta.dirname, 'server.ts');
  const child = startOwned(process.execPath, ['--conditions=@holdfast/source', file], {
    env: { ...process.env, PORT: port },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, url: line.toString().trim() };
}

async function say(page: Page, author: string, text: string): Promise<void> {
  await page.getByLabel('Your name').fill(author);
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const messages = (page: Page) => page.locator('li').allTextContents();
const patient = { timeout: 60_000 };

test('two tabs talk in rooms over one connection, also through a restart of the server', async () => {
  const { child, url } = await startExample();
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu'],
  });
  onTestFinished(() => browser.close());
  const context = await browser.newContext();
  const [ann, bob] = [await context.newPage(), await context.newPage()];
  const complaints: string[] = [];
  for (const page of [ann, bob]) {
    page.on('pageerror', ({ message }) => complaints.push(message));
    await page.goto(url);
    await expect.poll(() => page.getByRole('status').textContent(), patient).toMatch(/^websocket/);
  }
  await say(ann, 'Ann', 'Anybody here?');
  await expect.poll(() => messages(bob), patient).toEqual(['Ann Anybody here?']);
  await say(bob, 'Bob', 'In the lobby.');
  await expect
    .poll(() => messages(ann), patient)
    .toEqual(['Ann Anybody here?', 'Bob In the lobby.']);
  // One connection, which is subscribed once.
  await expect.poll(() => ann.getByLabel('Messages, 1 here').count(), patient).toBe(1);
  await bob.getByRole('button', { name: 'harbour' }).click();
  await expect.poll(() => messages(bob), patient).toEqual([]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect.poll(() => bob.getByRole('status').textContent(), patient).not.toMatch(/^websocket/);
  await say(bob, 'Bob', 'Said without a server');
  await startExample(new URL(url).port);
  await expect
    .poll(() => messages(bob), { timeout: 60_000 })
    .toEqual(['Bob Said without a server']);
  expect(complaints).toEqual([]);
});
