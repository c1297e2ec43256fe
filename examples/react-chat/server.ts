// A chat in one process: the page, its script and the live channels on one port.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';
import { createHub } from '@holdfast/hub';
import { channels } from './channels.ts';

const hub = createHub({
  contract: channels,
  client: { allowAnonymousConnectWithoutToken: true, allowedOrigins: ['http://localhost:*'] },
  channel: {
    namespaces: [
      {
        name: 'room',
        historySize: 100,
        historyTtlMs: 3_600_000,
        forceRecovery: true,
        presence: true,
        joinLeave: true,
        forcePushJoinLeave: true,
        allowSubscribeForAnonymous: true,
        allowPublishForAnonymous: true,
        allowHistoryForAnonymous: true,
        allowPresenceForAnonymous: true,
        allowSubscribeForClient: true,
        allowPublishForClient: true,
        allowHistoryForClient: true,
        allowPresenceForClient: true,
      },
    ],
  },
});

const { outputFiles } = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: {
    app: './app.tsx',
    style: './style.css',
    // Holds the one connection of all tabs.
    worker: '@holdfast/client/shared-worker',
  },
  outdir: '/',
  bundle: true,
  write: false,
  minify: true,
  jsx: 'automatic',
  conditions: ['@holdfast/source'],
  define: { 'process.env.NODE_ENV': '"production"' },
});
const scripts = new Map(outputFiles.map(({ path: file, text }) => [path.basename(file), text]));

const page = `<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <link rel="icon" href="data:," />
  <title>Chat</title>
  <link rel="stylesheet" href="/style.css" />
  <div id="root"></div>
  <script src="/app.js"></script>
</html>`;

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

const server = createServer((request, response) => {
  if (hub.handleRequest(request, response)) return;
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const script = scripts.get(pathname.slice(1));
  if (script !== undefined) {
    response.writeHead(200, { 'Content-Type': types[path.extname(pathname)] ?? 'text/plain' });
    response.end(script);
  } else if (pathname === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
  } else {
    response.writeHead(404).end();
  }
});

hub.attach(server);
server.listen(Number(process.env.PORT ?? 3000), 'localhost', () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port}`);
});
process.once('SIGTERM', () => void hub.shutdown().then(() => server.close()));
