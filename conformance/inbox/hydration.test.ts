import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createElement, type ReactNode, StrictMode } from 'react';
import { renderToPipeableStream, renderToString } from 'react-dom/server';
import { createClient } from '@holdfast/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { bundle, scriptFile } from '../client/bundle.ts';
import { complaintsOf, newContext, useBrowser } from '../test-browser.ts';
import { startInboxApp } from './inbox-app.ts';
import { newDatabase, send } from './inbox-browser.ts';
import { RenderedPage } from './pages/rendered-page.tsx';

const chromium = useBrowser();

function streamed(content: ReactNode, nonce: string): Promise<string> {
  const html = new PassThrough();
  const { pipe } = renderToPipeableStream(content, {
    nonce: { style: nonce },
    onAllReady: () => void pipe(html),
  });
  return text(html);
}

/** What a server answers that knows nothing of who asks. */
async function renderedPage(nonce: string | undefined): Promise<string> {
  const client = createClient({ url: 'http://127.0.0.1:1' });
  onTestFinished(() => client.close());
  const getToken = () => Promise.reject(new Error('a server has no token'));
  const api = createUserApi({ url: 'http://127.0.0.1:1', getToken });
  const inbox = createInboxStore({ client, api });
  onTestFinished(() => inbox.close());
  const page = createElement(RenderedPage, { client, inbox, nonce });
  const content = createElement(StrictMode, {}, page);
  const policy = `script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>test</title>
${nonce === undefined ? '' : `<meta http-equiv="content-security-policy" content="${policy}">`}
<div id="root">${nonce === undefined ? renderToString(content) : await streamed(content, nonce)}</div>
<script nonce="${nonce}">
  nonce = ${JSON.stringify(nonce)};
  rendered = [...document.querySelectorAll('.hf-bell, dialog, .hf-panel')];
</script>
<script nonce="${nonce}" src="/page.js"></script></html>`;
}

test.each([
  ['as a text', undefined],
  ['as a stream, with a strict Content-Security-Policy', 'of-this-page'],
])('a browser of another language goes on with what a server rendered %s', async (_how, nonce) => {
  const onServer = vi.spyOn(console, 'error');
  onTestFinished(() => onServer.mockRestore());
  const files = {
    '/': { type: 'text/html', body: await renderedPage(nonce) },
    '/favicon.ico': { type: 'image/png', body: '' },
    '/page.js': scriptFile(await bundle('../inbox/pages/hydrated-page.tsx')),
  };
  expect(onServer).not.toHaveBeenCalled();
  await using app = await startInboxApp({ url: await newDatabase(), files });
  for (const title of ['first', 'second']) await send(app, 'ann', title);
  const options = { locale: 'ar-EG', timezoneId: 'Asia/Tokyo' };
  const context = await newContext(chromium.browser, options);
  const page = await context.newPage();
  const complaints = complaintsOf(page);
  await page.goto(app.url);
  await page.getByRole('button', { name: 'Archive: second' }).waitFor({ state: 'attached' });
  await page.getByRole('checkbox', { name: 'News of the shop' }).waitFor({ state: 'attached' });
  // The very elements of the server live on, styled once.
  const live = await page.evaluate('rendered.map((element) => element.isConnected)');
  expect(live).toEqual([true, true, true, true]);
  expect(await page.locator('style[data-href~="holdfast-theme"]').count()).toBe(1);
  expect(await page.locator('style[data-href~="holdfast-inbox"]').count()).toBe(1);
  expect(
    await page.evaluate('getComputedStyle(document.querySelector(".hf-bell")).borderRadius'),
  ).toBe('50%');
  await page.locator('.hf-bell').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unread: first' }).waitFor();
  expect(await page.evaluate('recovered')).toEqual([]);
  expect(complaints).toEqual([]);
});
