/**
 * `npx node --conditions=@holdfast/source bench/inbox-screen.bench.ts [--users 1000] [--sends 3000]
 * [--targets SQLite,PostgreSQL]`: notifications to users who are online and to users who are away, from
 * the request of a backend to the user's WebSocket, and to the drawn frame of a page in Chromium.
 *
 * The program runs as `holdfast serve` in its own process; the requests, the users' connections and the
 * page share what is left of the machine. Times begin before the request, so they contain it and the
 * commit.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { startPostgres } from '@holdfast/store/testing/postgres-server';
import { Centrifuge } from 'centrifuge';
import { build } from 'esbuild';
import { SignJWT } from 'jose';
import type { Browser } from 'playwright-core';
import { WebSocket } from 'ws';
import { launchBrowser } from '../conformance/browser.ts';
import { startProgram } from '../conformance/program.ts';
import { figure, formatTable } from './report.ts';
import { percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000' },
    sends: { type: 'string', default: '3000' },
    targets: { type: 'string', default: 'SQLite,PostgreSQL' },
  },
});
const users = Number(values.users);
const sends = Number(values.sends);
const secret = 'a secret of this bench, thirty-two bytes or more';
const apiKey = 'the key of this bench';
/** Who looks at the page; every tenth notification is for this user. */
const watcher = 'watcher';
const deadlineMs = 30_000;

const tokenOf = (user: string): Promise<string> =>
  new SignJWT({ sub: user }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));

/** When each notification was asked for, acknowledged to the backend, and with the user. */
interface Times {
  readonly asked: Map<string, number>;
  readonly answered: Map<string, number>;
  readonly received: Map<string, number>;
}

async function connectUsers(url: string, times: Times): Promise<readonly Centrifuge[]> {
  const clients: Centrifuge[] = [];
  for (let index = 0; index < users; index += 1) {
    const user = `online-${index}`;
    const client = new Centrifuge(`${url.replace('http', 'ws')}/connection/websocket`, {
      token: await tokenOf(user),
      websocket: WebSocket,
    });
    const subscription = client.newSubscription(`inbox:#${user}`);
    subscription.on('publication', ({ data }) => {
      const { notification } = data as { readonly notification?: { readonly title: string } };
      if (notification !== undefined) times.received.set(notification.title, Date.now());
    });
    subscription.subscribe();
    client.connect();
    clients.push(client);
    if (index % 50 === 49 || index === users - 1) await subscription.ready(deadlineMs);
  }
  return clients;
}

/** Serves the page, and shows it. */
async function openScreen(browser: Browser, { url, token, site }: Screen) {
  const page = await browser.newPage();
  const query = new URLSearchParams({ server: url, user: watcher, token });
  await page.goto(`http://localhost:${site}/?${query.toString()}`);
  await page.locator('.hf-empty').waitFor();
  return {
    shownAt: () =>
      page.evaluate(() => (globalThis as unknown as { shownAt: Record<string, number> }).shownAt),
  };
}

interface Screen {
  readonly url: string;
  readonly token: string;
  readonly site: number;
}

let lastTitle = 0;

/** Sends to users in turn, `width` requests at a time. @returns the titles, and sends per second */
async function send(
  url: string,
  times: Times,
  { count, width, userOf }: { count: number; width: number; userOf: (index: number) => string },
) {
  const titles: string[] = [];
  const begin = performance.now();
  const loop = async (): Promise<void> => {
    while (titles.length < count) {
      const user = userOf(titles.length);
      const title = `bench-${(lastTitle += 1)}.`;
      titles.push(title);
      times.asked.set(title, Date.now());
      const answer = await fetch(`${url}/api/inbox/send`, {
        method: 'POST',
        headers: { 'X-API-Key': apiKey, 'Content-Type': 'application/json' },
        body: JSON.stringify({ to: { user }, category: 'bench', title }),
      });
      if (!answer.ok) throw new Error(`a send was refused: ${await answer.text()}`);
      await answer.arrayBuffer();
      times.answered.set(title, Date.now());
    }
  };
  await Promise.all(Array.from({ length: width }, loop));
  return { titles, perSecond: count / ((performance.now() - begin) / 1000) };
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function measure(name: string, storeUrl: string, { browser, site }: Place) {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'));
  const program = startProgram(['serve', '--port', '0', '--data-dir', folder], {
    cwd: folder,
    environment: {
      HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: secret,
      HOLDFAST_HTTP_API_KEY: apiKey,
      HOLDFAST_CLIENT_ALLOWED_ORIGINS: `http://localhost:${site}`,
      HOLDFAST_STORE_URL: storeUrl,
      HOLDFAST_LOG_LEVEL: 'info',
    },
  });
  const times: Times = { asked: new Map(), answered: new Map(), received: new Map() };
  let clients: readonly Centrifuge[] = [];
  try {
    const [, port] = await program.seen(/"http:\/\/127\.0\.0\.1:(\d+)"/);
    const url = `http://127.0.0.1:${port}`;
    clients = await connectUsers(url, times);
    const screen = await openScreen(browser, { url, token: await tokenOf(watcher), site });
    const online = (index: number): string =>
      index % 10 === 9 ? watcher : `online-${index % users}`;
    await send(url, times, { count: 300, width: 8, userOf: online });
    const rows: (readonly string[])[] = [];
    for (const width of [1, 32]) {
      const count = width === 1 ? Math.ceil(sends / 3) : sends;
      const { titles, perSecond } = await send(url, times, { count, width, userOf: online });
      const watched = titles.filter((_, index) => index % 10 === 9);
      const others = titles.filter((_, index) => index % 10 !== 9);
      await until('every user has theirs', () =>
        others.every((title) => times.received.has(title)),
      );
      await until('the page shows the last', async () =>
        Object.hasOwn(await screen.shownAt(), watched.at(-1) ?? ''),
      );
      const shown = new Map(Object.entries(await screen.shownAt()));
      const onScreen = watched.filter((title) => shown.has(title));
      rows.push([
        `${name}, online, ${width} at once`,
        figure(perSecond),
        ...figures(titles, times.asked, times.answered),
        ...figures(others, times.asked, times.received),
        ...figures(onScreen, times.asked, shown),
        `${onScreen.length} of ${watched.length}`,
      ]);
    }
    for (const width of [1, 32]) {
      const count = width === 1 ? Math.ceil(sends / 3) : sends;
      const userOf = (index: number): string => `away-${index % users}`;
      const { titles, perSecond } = await send(url, times, { count, width, userOf });
      const answered = figures(titles, times.asked, times.answered);
      rows.push([`${name}, away, ${width} at once`, figure(perSecond), ...answered]);
    }
    return rows;
  } finally {
    for (const client of clients) client.disconnect();
    program.process.kill('SIGTERM');
    await program.ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Place {
  readonly browser: Browser;
  /** Port of the page. */
  readonly site: number;
}

function figures(
  titles: readonly string[],
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
): readonly string[] {
  const samples = titles.map((title) => (to.get(title) ?? Number.NaN) - (from.get(title) ?? 0));
  return [figure(percentile(samples, 0.5)), figure(percentile(samples, 0.99))];
}

const { outputFiles } = await build({
  entryPoints: [path.join(import.meta.dirname, 'pages/screen.tsx')],
  bundle: true,
  write: false,
  minify: true,
  jsx: 'automatic',
  conditions: ['@holdfast/source'],
  define: { 'process.env.NODE_ENV': '"production"' },
});
const script = outputFiles[0]?.text ?? '';
const html =
  '<!doctype html><title>bench</title><div id="root"></div><script src="/page.js"></script>';
const site = createServer((request, response) => {
  const isScript = request.url === '/page.js';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
  response.end(isScript ? script : html);
});
await new Promise<void>((resolve) => void site.listen(0, 'localhost', resolve));
const place = { browser: await launchBrowser(), site: (site.address() as AddressInfo).port };
const postgres = await startPostgres({ durable: true });
const [before] = loadavg();
try {
  const targets: Readonly<Record<string, () => Promise<string>>> = {
    SQLite: () => Promise.resolve(''),
    PostgreSQL: () => postgres.createDatabase('bench'),
  };
  const rows: (readonly string[])[] = [];
  for (const name of values.targets.split(',')) {
    const storeUrl = targets[name];
    if (storeUrl === undefined) throw new Error(`no target is called ${name}`);
    console.error(`${name} …`);
    rows.push(...(await measure(name, await storeUrl(), place)));
  }
  const columns = ['', 'sends/s', 'answered p50 ms', 'p99'];
  columns.push('received p50 ms', 'p99', 'on screen p50 ms', 'p99', 'seen one by one');
  const title = `Notifications with ${users} users online; times since the request`;
  console.log(
    formatTable({
      title,
      columns,
      rows: rows.map((row) => columns.map((_, column) => row[column] ?? '')),
    }),
  );
} finally {
  await postgres.stop();
  await place.browser.close();
  site.close();
  site.closeAllConnections();
}
const [after] = loadavg();
console.log(`load average ${before?.toFixed(2)} before, ${after?.toFixed(2)} after`);
