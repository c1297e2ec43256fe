/**
 * `npm run docs:pictures`: photographs what the handbook shows, from the running program and the
 * inbox example in the machine's own Chromium.
 *
 * @module
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../conformance/browser.ts';
import { startProgram } from '../conformance/program.ts';

const pictures = path.resolve(import.meta.dirname, '../docs/pictures');
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-pictures-'));

const openPage = (browser: Browser, width: number, height: number): Promise<Page> =>
  browser.newPage({ viewport: { width, height }, deviceScaleFactor: 1.5, reducedMotion: 'reduce' });

const keep = (page: Page, name: string): Promise<Buffer> =>
  page.screenshot({ path: path.join(pictures, `${name}.png`) });

/** The page that the program's sign-in link opens, after a cut connection. */
async function photographWelcome(browser: Browser): Promise<void> {
  const program = startProgram(['serve', '--sign-in-link', '--port', '0', '--data-dir', folder], {
    cwd: folder,
  });
  try {
    const [link] = await program.seen(/http:\/\/\S+#sign-in=\S+/);
    const { api_key: key } = JSON.parse(
      readFileSync(path.join(folder, 'secrets.json'), 'utf8'),
    ) as { api_key: string };
    const publish = (channel: string, data: unknown): Promise<Response> =>
      fetch(new URL('/api/publish', link), {
        method: 'POST',
        headers: { 'X-API-Key': key },
        body: JSON.stringify({ channel, data }),
      });
    const page = await openPage(browser, 1180, 760);
    await page.goto(link);
    await page.locator('#connection-state[data-state=connected]').waitFor();
    await publish('news', { text: 'hello' });
    await publish('news', { order: 1041, state: 'packed' });
    await page.getByText('packed').waitFor();
    await page.locator('#cut').click();
    await publish('news', { order: 1041, state: 'on its way' });
    await page.getByText('on its way').waitFor();
    await keep(page, 'welcome');
  } finally {
    program.process.kill('SIGTERM');
    await program.ended;
  }
}

/** The bell of the inbox example, opened. */
async function photographInbox(browser: Browser): Promise<void> {
  const file = path.resolve(import.meta.dirname, '../examples/inbox/server.ts');
  const child = startOwned(process.execPath, ['--conditions=@holdfast/source', file], {
    env: { PATH: process.env.PATH, PORT: '0', HOLDFAST_PORT: '0', DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const page = await openPage(browser, 760, 560);
    await page.goto(
      `http://localhost:${/listening on (\d+)/.exec(line.toString())?.[1]}/?user=ann`,
    );
    for (const unread of [1, 2, 3]) {
      await page.getByRole('button', { name: 'Order something' }).click();
      await page.getByRole('button', { name: `Notifications, ${unread} unread` }).waitFor();
    }
    await page.getByRole('button', { name: /^Notifications/ }).click();
    await page.getByText('Your order is on its way').first().waitFor();
    await keep(page, 'inbox');
    await page.getByRole('button', { name: 'Notification settings' }).click();
    await page.getByRole('checkbox', { name: 'Be silent at certain hours' }).check();
    await page.getByText('Time zone').waitFor();
    await page.setViewportSize({ width: 760, height: 680 });
    await keep(page, 'inbox-settings');
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

const browser = await launchBrowser();
try {
  await photographWelcome(browser);
  await photographInbox(browser);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
