import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { Centrifuge } from 'centrifuge';
import type { Page } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { complaintsOf, newContext, useBrowser } from './test-browser.ts';
import { firstStartApiKey, startFirstStartServer } from './first-start-server.ts';

const chromium = useBrowser();

/** A fresh browser profile, with everything that went wrong in its pages. */
async function openPage() {
  const context = await newContext(chromium.browser, { viewport: { width: 1280, height: 1000 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await context.newPage();
  const troubles = complaintsOf(page);
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  return { page, context, troubles, hosts };
}

async function startSignedIn() {
  const server = await startFirstStartServer();
  const opened = await openPage();
  await opened.page.goto(server.signInLink ?? '');
  await expectState(opened.page, '#subscription-state', 'subscribed');
  const [url = ''] = server.addresses;
  const call = async (method: string, params: object) => {
    const response = await fetch(`${url}/api/${method}`, {
      method: 'POST',
      headers: { 'X-API-Key': firstStartApiKey },
      body: JSON.stringify(params),
    });
    return (await response.json()) as { readonly result: Readonly<Record<string, unknown>> };
  };
  return { ...opened, server, url, call, [Symbol.asyncDispose]: () => server.stop() };
}

async function expectState(page: Page, selector: string, state: string): Promise<void> {
  await page.locator(`${selector}[data-state="${state}"]`).waitFor();
}

const bodies = (page: Page) => page.locator('#messages .body').allTextContents();

describe('signing in', () => {
  test('without it the page says where the link is, and shows nothing else', async () => {
    await using server = await startFirstStartServer();
    const { page, troubles } = await openPage();
    await page.goto(server.addresses[0] ?? '');
    await page.getByText('open the sign-in link that the server printed').waitFor();
    expect(await page.locator('#signed-in').isVisible()).toBe(false);
    expect(troubles).toEqual([]);
  });

  test('the link opens the page once; its code stays nowhere', async () => {
    await using started = await startSignedIn();
    const { page, context, server } = started;
    expect(page.url()).toBe(`${server.addresses[0]}/`);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
    await page.reload();
    await expectState(page, '#subscription-state', 'subscribed');
    const other = await openPage();
    await other.page.goto(server.signInLink ?? '');
    await other.page.getByText('This sign-in link was used before').waitFor();
  });

  test('signing out closes the page for this browser', async () => {
    await using started = await startSignedIn();
    await started.page.click('#sign-out');
    await started.page.getByText('open the sign-in link').waitFor();
    expect(await started.context.cookies()).toEqual([]);
  });
});

describe('a signed-in page', () => {
  test('shows what the API publishes, live, with its position', async () => {
    await using started = await startSignedIn();
    const { page, call, troubles, hosts, url } = started;
    await call('publish', { channel: 'news', data: { text: 'hello' } });
    await expect.poll(() => bodies(page)).toEqual(['{"text":"hello"}']);
    expect(await page.locator('#messages .offset').textContent()).toBe('offset 1');
    expect(await page.locator('#position').textContent()).toMatch(/^offset 1, epoch [\w-]+$/);
    expect(await page.locator('#transport').textContent()).toBe('websocket');
    expect(await page.locator('#connection-state').textContent()).toBe('connected');
    expect(troubles).toEqual([]);
    expect([...hosts]).toEqual([new URL(url).host]);
  });

  test('publishes, and says when what was typed is no JSON', async () => {
    await using started = await startSignedIn();
    const { page } = started;
    await page.fill('#data', '{"n": 12345678901234567890}');
    await page.click('#publish-form button');
    await page.getByText('Published at offset 1').waitFor();
    await expect.poll(() => bodies(page)).toHaveLength(1);
    await page.fill('#data', 'hello');
    await page.click('#publish-form button');
    await page.getByText('This is no JSON').waitFor();
    const { result } = await started.call('history', { channel: 'news', limit: 1, reverse: true });
    expect(result.offset).toBe(1);
  });

  test('comes back by itself when its connection is cut, and misses nothing', async () => {
    await using started = await startSignedIn();
    const { page, call } = started;
    await call('publish', { channel: 'news', data: 'before' });
    await page.click('#cut');
    await page.getByText('connection lost: force reconnect (3011)').waitFor();
    await call('publish', { channel: 'news', data: 'while away' });
    await page.getByText('recovered, nothing missed').waitFor();
    await call('publish', { channel: 'news', data: 'after' });
    await expect.poll(() => bodies(page)).toEqual(['"after"', '"while away"', '"before"']);
  });

  test('shows who is here', async () => {
    await using started = await startSignedIn();
    const { page, server, url } = started;
    await page.getByText('this page').waitFor();
    await page.click('#tab-node');
    await page.getByText('"visitor"').waitFor();
    const [, token = ''] =
      /token: "([^"]+)"/.exec((await page.textContent('#snippet')) ?? '') ?? [];
    const visitor = new Centrifuge(`${url.replace('http', 'ws')}/connection/websocket`, { token });
    onTestFinished(() => visitor.disconnect());
    visitor.newSubscription('news').subscribe();
    visitor.connect();
    await page.locator('#people').getByText('visitor').waitFor();
    expect(await page.textContent('#presence-count')).toBe('2');
    await server.hub.disconnect({ user: 'visitor' });
    await expect.poll(() => page.textContent('#presence-count')).toBe('1');
  });

  test('watches any channel, and says why it cannot watch one', async () => {
    await using started = await startSignedIn();
    const { page, call } = started;
    await page.fill('#channel', 'other');
    await page.press('#channel', 'Enter');
    await expectState(page, '#subscription-state', 'subscribed');
    await call('publish', { channel: 'news', data: 'elsewhere' });
    await call('publish', { channel: 'other', data: 'here' });
    await expect.poll(() => bodies(page)).toEqual(['"here"']);
    await page.fill('#channel', 'unknown:channel');
    await page.press('#channel', 'Enter');
    await page.getByText('Not subscribed: unknown channel (102)').waitFor();
  });

  test('shows markup from strangers as text', async () => {
    await using started = await startSignedIn();
    const { page, call, troubles } = started;
    const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await page.fill('#channel', markup);
    await page.press('#channel', 'Enter');
    await expectState(page, '#subscription-state', 'subscribed');
    await call('publish', { channel: markup, data: { [markup]: markup } });
    await expect.poll(() => bodies(page)).toHaveLength(1);
    expect(await bodies(page)).toEqual([JSON.stringify({ [markup]: markup }, undefined, 2)]);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.title()).toBe('Holdfast');
    expect(troubles).toEqual([]);
  });
});

describe('the snippets', () => {
  test('curl publishes, as it was copied', async () => {
    await using started = await startSignedIn();
    const { page } = started;
    expect(await page.textContent('#snippet')).toContain('YOUR-API-KEY');
    expect(await page.textContent('#api-key')).not.toContain('k');
    await page.click('#reveal');
    await expect.poll(() => page.textContent('#api-key')).toBe(firstStartApiKey);
    await page.click('#copy');
    await page.getByText('Copied').waitFor();
    const command = await page.evaluate<string>('navigator.clipboard.readText()');
    const { stdout } = await promisify(execFile)('sh', ['-c', command]);
    expect(JSON.parse(stdout)).toMatchObject({ result: { offset: 1 } });
    await expect.poll(() => bodies(page)).toEqual(['{"text":"hello from curl"}']);
  });

  test('the one for Node subscribes, as it stands', async () => {
    await using started = await startSignedIn();
    const { page, call } = started;
    await page.click('#tab-node');
    await page.getByText('"visitor"').waitFor();
    const code = (await page.textContent('#snippet')) ?? '';
    const subscriber = startOwned(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await page.locator('#people').getByText('visitor').waitFor();
    await call('publish', { channel: 'news', data: { text: 'to node' } });
    const [output] = (await once(subscriber.stdout, 'data')) as [Buffer];
    expect(output.toString()).toContain("1 { text: 'to node' }");
  });
});

test('the page can be used with the keyboard and is narrow where the screen is', async () => {
  await using started = await startSignedIn();
  const { page } = started;
  await page.focus('#tab-curl');
  await page.keyboard.press('ArrowRight');
  expect(await page.getAttribute('#tab-browser', 'aria-selected')).toBe('true');
  expect(await page.locator(':focus').getAttribute('id')).toBe('tab-browser');
  await page.setViewportSize({ width: 360, height: 740 });
  const { scrollWidth, clientWidth } = await page.evaluate<Record<string, number>>(
    '(({ scrollWidth, clientWidth }) => ({ scrollWidth, clientWidth }))(document.documentElement)',
  );
  expect(scrollWidth).toBe(clientWidth);
  for (const control of await page.locator('main :is(button, input, textarea):visible').all()) {
    const id = await control.getAttribute('id');
    const label = page.locator(`label[for="${id}"]`);
    const name = (await control.textContent()) || (await label.allTextContents()).join('');
    expect(name.trim()).not.toBe('');
  }
});

test('the API reference shows every method, and nothing inline', async () => {
  await using server = await startFirstStartServer();
  const { page, troubles } = await openPage();
  const response = await page.goto(`${server.addresses[0]}/swagger`);
  expect(response?.headers()['content-security-policy']).toContain("script-src 'self'");
  const headings = await page.locator('h2').allTextContents();
  const document = await (await fetch(`${server.addresses[0]}/openapi.json`)).json();
  const { paths } = document as { readonly paths: Readonly<Record<string, object>> };
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((verb) => `${verb.toUpperCase()} ${path}`),
  );
  expect(headings.toSorted()).toEqual(operations.toSorted());
  expect(headings).toEqual(expect.arrayContaining(['POST /api/publish', 'POST /api/batch']));
  expect(troubles).toEqual([]);
});
