import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { chromium } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';

/** Rejects when it ends. */
async function endOf(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null];
  throw new Error(`the example ended with ${code}`);
}

test('what is ordered is shown on the bell of that user', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-example-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(import.meta.dirname, 'server.ts');
  const child = startOwned(process.execPath, ['--conditions=@holdfast/source', file], {
    env: { ...process.env, PORT: '0', HOLDFAST_PORT: '0', DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([once(child.stdout, 'data'), endOf(child)])) as [Buffer];
  const url = `http://localhost:${/listening on (\d+)/.exec(line.toString())?.[1]}`;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'],
  });
  onTestFinished(() => browser.close());
  const [ann, bob] = [await browser.newPage(), await browser.newPage()];
  await ann.goto(`${url}/?user=ann`);
  await bob.goto(`${url}/?user=bob`);
  await ann.getByRole('button', { name: 'Order something' }).click();
  await ann.getByRole('button', { name: 'Notifications, 1 unread' }).click();
  await ann.getByText('Your order is on its way').waitFor();
  expect(await bob.getByRole('button', { name: /^Notifications/ }).getAttribute('aria-label')).toBe(
    'Notifications',
  );
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
