import { once } from 'node:events';
import path from 'node:path';
import { endOwned, startOwned } from '@holdfast/store/testing/owned-process';
import type { Page } from 'playwright-core';
import { createElement, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createClient } from '@holdfast/client';
import { createTaskStore, createUserApi } from '@holdfast/client/tasks';
import { HoldfastProvider } from '@holdfast/react';
import { TaskList, TaskProgress, TasksProvider } from '@holdfast/react/tasks';
import { complaintsOf, newContext, useBrowser } from '../test-browser.ts';
import { startRunningTime } from '../running-time.ts';
import { bundle } from '../client/bundle.ts';
import {
  leaseMs,
  startPages,
  startWatchedServer,
  type WatchedServer,
  workerToken,
} from './watched-server.ts';

const patience = { timeout: 60_000, interval: 20 };

const chromium = useBrowser();
let server: WatchedServer;
let pages: Awaited<ReturnType<typeof startPages>>;

beforeAll(async () => {
  [server, pages] = await Promise.all([
    startWatchedServer(),
    bundle('../tasks/pages/tasks-page.tsx').then(startPages),
  ]);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await pages[Symbol.asyncDispose]();
});

async function open(user: string, query: string): Promise<Page> {
  const context = await newContext(chromium.browser, { locale: 'en-GB' });
  const page = await context.newPage();
  const server_ = encodeURIComponent(server.url);
  await page.goto(`${pages.url}/?user=${user}&server=${server_}&${query}`);
  return page;
}

interface Seen {
  readonly status: string;
  readonly progress: number;
  readonly at: number;
}

/** What the page has shown so far. */
const seenBy = (page: Page): Promise<readonly Seen[]> => page.evaluate<readonly Seen[]>('api.seen');
/** What the page says of the state, in words. */
const wordsOf = (page: Page): Promise<string | null> =>
  page.locator('section.hf-task [role=status]').textContent();

async function request(user: string, kind: string, payload: unknown = null): Promise<string> {
  return String((await server.ask(user, 'POST /me', { kind, payload }))['id']);
}

/** The example's worker in Python, which is ended with the test. */
async function startPythonWorker(): Promise<{ kill(): Promise<void> }> {
  const script = path.resolve(import.meta.dirname, '../../examples/python-worker/worker.py');
  const child = startOwned('python3', [script], {
    env: {
      PATH: process.env['PATH'],
      HOLDFAST_URL: `${server.url}/api/worker`,
      HOLDFAST_TOKEN: workerToken,
      PYTHONUNBUFFERED: '1',
    },
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  return { kill: () => endOwned(child) };
}

const longText = (lines: number, secondsPerLine: number) => ({
  text: Array.from({ length: lines }, () => 'one two').join('\n'),
  secondsPerLine,
});

/** Takes the task as a worker of this process. */
async function claim(id: string, kind: string): Promise<number> {
  const taken = await vi.waitFor(async () => {
    const { tasks } = await server.work('claim', { worker: 'test', kinds: [kind] });
    const [first] = tasks as readonly { readonly id: string; readonly token: number }[];
    expect(first?.id).toBe(id);
    return first;
  }, patience);
  return taken?.token ?? 0;
}

test('a worker is killed: retrying is on screen within lease + 1 s, a reload shows the same, and it is done in the end', async () => {
  const worker = await startPythonWorker();
  const id = await request('eve', 'word-count', longText(60, 0.1));
  const page = await open('eve', `task=${id}`);
  await vi.waitFor(async () => {
    expect((await seenBy(page)).at(-1)?.progress).toBeGreaterThan(0.05);
  }, patience);
  const sinceKill = await startRunningTime();
  await worker.kill();
  await vi.waitFor(async () => {
    expect((await seenBy(page)).map(({ status }) => status)).toContain('retrying');
  }, patience);
  expect(sinceKill.elapsedMs).toBeLessThanOrEqual(leaseMs + 1000);
  expect(await wordsOf(page)).toBe('Trying again: attempt 2 of 3: its worker fell silent');
  await page.reload();
  await vi.waitFor(async () => expect(await wordsOf(page)).toMatch(/^Trying again/), patience);
  await startPythonWorker();
  await vi.waitFor(async () => {
    const { status, progress = 0 } = (await seenBy(page)).at(-1) ?? {};
    expect([status, progress > 0.1]).toEqual(['running', true]);
  }, patience);
  const before = (await seenBy(page)).at(-1)?.progress ?? 0;
  await page.reload();
  await vi.waitFor(async () => expect(await wordsOf(page)).toBe('Done'), patience);
  const after = await seenBy(page);
  // From the reload on it begins where it was, and never goes back.
  expect(after[0]?.progress).toBeGreaterThanOrEqual(before);
  expect(after.map(({ progress }) => progress)).toEqual(
    after.map(({ progress }) => progress).toSorted((a, b) => a - b),
  );
  expect((await server.ask('eve', `GET /me/${id}`))['task']).toMatchObject({
    result: { one: 60, two: 60 },
    attempt: 2,
  });
});

test('the server is killed and started again: the page says that it knows nothing, and ends in the right state', async () => {
  await startPythonWorker();
  const id = await request('eve', 'word-count', longText(60, 0.1));
  const page = await open('eve', `task=${id}`);
  await vi.waitFor(async () => {
    expect((await seenBy(page)).at(-1)?.progress).toBeGreaterThan(0.03);
  }, patience);
  await server.kill();
  await vi.waitFor(async () => expect(await wordsOf(page)).toMatch(/^No news since/), patience);
  expect(await page.locator('[data-moving=true], [data-tone=busy]').count()).toBe(0);
  await server.start();
  await vi.waitFor(async () => expect(await wordsOf(page)).toBe('Done'), patience);
  expect((await server.ask('eve', `GET /me/${id}`))['task']).toMatchObject({
    status: 'completed',
    result: { one: 60, two: 60 },
  });
});

test('a connection that is dead and says nothing: the spinner stops by itself at the end of the lease', async () => {
  const id = await request('eve', 'chat');
  const page = await open('eve', `task=${id}`);
  await vi.waitFor(async () => expect(await seenBy(page)).not.toEqual([]), patience);
  await claim(id, 'chat');
  await vi.waitFor(async () => expect(await wordsOf(page)).toBe('Running'), patience);
  expect(await page.getByRole('progressbar').getAttribute('data-moving')).toBe('true');
  const { task } = (await server.ask('eve', `GET /me/${id}`)) as { task: { expiresAt: number } };
  const leftMs = task.expiresAt - Date.now();
  const sinceLook = await startRunningTime();
  server.signal('SIGSTOP');
  onTestFinished(() => server.signal('SIGCONT'));
  await vi.waitFor(async () => expect(await wordsOf(page)).toMatch(/^No news since/), patience);
  expect(sinceLook.elapsedMs - leftMs).toBeLessThan(1000);
  const lost = (await seenBy(page)).find(({ status }) => status === 'lost');
  expect((lost?.at ?? 0) - task.expiresAt).toBeGreaterThanOrEqual(-50);
  expect(await page.getByRole('progressbar').getAttribute('data-moving')).toBe('false');
  server.signal('SIGCONT');
  await vi.waitFor(async () => {
    expect(await wordsOf(page)).toBe('Failed: its worker fell silent');
  }, patience);
});

test('what a language model writes is read by two pages from the beginning, and by one that comes too late', async () => {
  const id = await request('eve', 'slow');
  const token = await claim(id, 'slow');
  const words = Array.from({ length: 40 }, (_, index) => `wörd-${index} 🙂 `);
  const write = async (some: readonly string[]): Promise<void> => {
    for (const data of some) {
      await server.work(`tasks/${id}/output`, { token, parts: [{ type: 'token', data }] });
    }
  };
  const first = await open('eve', `task=${id}&output&list`);
  const complaints = complaintsOf(first);
  await first.reload();
  await write(words.slice(0, 20));
  const second = await open('eve', `task=${id}&output`);
  await write(words.slice(20));
  await server.work(`tasks/${id}/complete`, { token });
  const third = await open('eve', `task=${id}&output`);
  for (const page of [first, second, third]) {
    await vi.waitFor(async () => {
      expect(await page.locator('#output').textContent()).toBe(words.join(''));
      expect(await page.locator('#output').getAttribute('data-over')).toBe('true');
    }, patience);
  }
  // React's StrictMode found nothing to say.
  expect(complaints).toEqual([]);
});

test('output is followed over plain HTTP, from where a reader was; one that goes away makes room', async () => {
  const id = await request('eve', 'slow');
  const token = await claim(id, 'slow');
  const write = (data: string) => server.work(`tasks/${id}/output`, { token, parts: [{ data }] });
  await write('one');
  await write('two');
  const follow = (lastEventId: string, signal?: AbortSignal) =>
    server.follow('eve', id, { lastEventId, ...(signal === undefined ? {} : { signal }) });
  const gone = new AbortController();
  const first = await follow('0', gone.signal);
  const second = await follow('1');
  expect([first.status, second.status, (await follow('0')).status]).toEqual([200, 200, 429]);
  gone.abort();
  const third = await vi.waitFor(async () => {
    const response = await follow('2');
    expect(response.status).toBe(200);
    return response;
  }, patience);
  await write('three');
  await server.work(`tasks/${id}/complete`, { token });
  const texts = await Promise.all([second.text(), third.text()]);
  const numbers = texts.map((text) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, seq]) => seq));
  expect(numbers).toEqual([['2', '3'], ['3']]);
  for (const text of texts) expect(text).toContain('event: end\ndata: {"seq":3,"refused":0}');
});

test('a task of another user is never visible; one’s own is listed, reached with the keyboard, and cancelled', async () => {
  const id = await request('ann', 'slow');
  const token = await claim(id, 'slow');
  await server.work(`tasks/${id}/progress`, { token, message: 'a secret of ann', fraction: 0.3 });
  const foreign = await open('mallory', `task=${id}&output&list`);
  await vi.waitFor(async () => {
    expect(await foreign.locator('section.hf-task').textContent()).toBe('There is no such task.');
    expect(await foreign.locator('.hf-tasks').textContent()).toContain('No tasks');
  }, patience);
  for (const channel of [`task:${id}#ann`, `task:${id}`, 'tasks:#ann']) {
    expect(await foreign.evaluate(`api.trySubscribe(${JSON.stringify(channel)})`)).toBe(
      'unsubscribed 103',
    );
  }
  for (const operation of ['cancel', 'remove']) {
    const refused = `api.tasks.${operation}('${id}').then(() => 'done', ({ details }) => details.reason ?? 'done')`;
    const outcome = await foreign.evaluate(refused);
    expect([operation, outcome]).toEqual([
      operation,
      operation === 'cancel' ? 'task_not_found' : 'done',
    ]);
  }
  expect((await server.ask('ann', `GET /me/${id}`))['task']).toMatchObject({ status: 'running' });
  await server.work(`tasks/${id}/progress`, { token, message: 'another secret', fraction: 0.4 });
  expect(await foreign.locator('body').textContent()).not.toContain('secret');

  const older = await request('ann', 'word-count', longText(1, 0));
  const page = await open('ann', 'list');
  const names = page.locator('.hf-task-name');
  await vi.waitFor(async () => expect(await names.count()).toBe(2), patience);
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await vi.waitFor(async () => {
    expect(await page.locator(`[data-id="${id}"] .hf-task-message`).textContent()).toBe(
      'another secret',
    );
  }, patience);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const row = page.locator(`[data-id="${id}"]`);
  await vi.waitFor(async () => expect(await row.getAttribute('data-status')).toBe('cancelling'));
  await server.work(`tasks/${id}/release`, { token });
  await vi.waitFor(async () => {
    expect(await row.getAttribute('data-status')).toBe('cancelled');
  }, patience);
  await server.ask('ann', `POST /me/${older}/cancel`);
});

test('on a server it renders, and reads nothing', () => {
  const client = createClient({ url: 'http://127.0.0.1:1' });
  const api = createUserApi({
    url: 'http://127.0.0.1:1',
    getToken: () => Promise.reject(new Error('nobody asks')),
  });
  const tasks = createTaskStore({ client, api });
  onTestFinished(() => {
    tasks.close();
    client.close();
  });
  const inside: ReactNode = [
    createElement(TaskProgress, { key: 1, id: '7' }),
    createElement(TaskList, { key: 2 }),
  ];
  const html = renderToString(
    createElement(HoldfastProvider, { client }, createElement(TasksProvider, { tasks }, inside)),
  );
  expect(html).toContain('Loading');
  expect(html).toContain('aria-busy="true"');
  expect(client.state.status).toBe('idle');
});
