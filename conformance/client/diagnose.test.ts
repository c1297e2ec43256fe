import type { Diagnosis } from '@holdfast/client';
import { beforeAll, expect, test } from 'vitest';
import { newContext, useBrowser } from '../test-browser.ts';
import { type ProxiedServer, startProxiedServer } from '../proxies/proxied-server.ts';
import { startNginx } from '../proxies/real-proxy.ts';
import { type AppOptions, startApp } from './running-app.ts';
import { sharedPageFiles } from './tabs.ts';

const chromium = useBrowser();
let files: NonNullable<AppOptions['files']>;

beforeAll(async () => {
  files = await sharedPageFiles();
});

interface Case {
  readonly name: string;
  /** The server block of nginx; without it the page talks to the server itself. */
  readonly location?: string;
  /** Of the address that the page uses. */
  readonly path?: string;
  readonly allowedOrigin?: string;
  /** What the page ends on. */
  readonly transport: string | undefined;
  readonly result: Diagnosis['result'];
  readonly cause: RegExp;
  readonly mend: RegExp;
}

const pooled = 'proxy_http_version 1.1; proxy_set_header Connection "";';

const cases: readonly Case[] = [
  {
    name: 'a server that is well',
    transport: 'websocket',
    result: 'pass',
    cause: /every endpoint answers as it should/,
    mend: /^$/,
  },
  {
    name: 'a server that does not know the origin of the page',
    allowedOrigin: 'https://elsewhere.example',
    transport: undefined,
    result: 'fail',
    cause: /does not allow connections from this page’s origin/,
    mend: /client\.allowed_origins/,
  },
  {
    name: 'a proxy that removes the headers of handshakes',
    location: `location / { proxy_pass http://hub; ${pooled} }`,
    transport: 'http_stream',
    result: 'fail',
    cause: /handshakes of WebSocket do not: a proxy on the way removes their headers/,
    mend: /holdfast proxy-config/,
  },
  {
    name: 'a proxy that keeps a prefix',
    location: `location /rt/ { proxy_pass http://hub; ${pooled} }`,
    path: '/rt',
    transport: undefined,
    result: 'fail',
    cause: /Holdfast answers, but has no such endpoint/,
    mend: /prefix/,
  },
  {
    name: 'a proxy whose server is down',
    location: 'location / { proxy_pass http://127.0.0.1:1; }',
    transport: undefined,
    result: 'fail',
    cause: /something other than Holdfast answers: a proxy whose server is down/,
    mend: /^open http:\S+\/connection\/websocket in a tab of its own/,
  },
];

function startFront({ port, listenPort }: ProxiedServer, location: string) {
  return startNginx(
    listenPort,
    `upstream hub { server 127.0.0.1:${port}; keepalive 8; }
server { listen 127.0.0.1:${listenPort}; ${location} }`,
  );
}

test.each(cases)(
  'a page of another origin learns about $name',
  async ({ location, path = '', allowedOrigin, transport, ...expected }) => {
    await using site = await startApp({ files });
    await using server = await startProxiedServer(
      allowedOrigin === undefined ? {} : { client: { allowed_origins: [allowedOrigin] } },
    );
    await using front = location === undefined ? undefined : await startFront(server, location);
    const context = await newContext(chromium.browser);
    const page = await context.newPage();
    const url = `${front?.url ?? `http://127.0.0.1:${server.port}`}${path}`;
    await page.goto(`${site.url}/?own&server=${encodeURIComponent(url)}`);
    // Whoever gets through says over what; whoever does not tries on.
    await page.waitForFunction(
      transport === undefined
        ? 'api.client.state.attempts > 0'
        : `api.client.state.status === "connected" && api.client.state.transport === "${transport}"`,
    );
    const { result, cause, mend } = await page.evaluate<Diagnosis>('api.client.diagnose()');
    expect(result).toBe(expected.result);
    expect(cause).toMatch(expected.cause);
    expect(mend).toMatch(expected.mend);
    // Before the server, which would wait for it.
    await page.close();
  },
);
