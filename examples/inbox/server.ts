// A shop's backend with notifications: the Holdfast server inside of it, and a page with a bell.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createLogger, loadConfig, startServer } from '@holdfast/server';
import { build } from 'esbuild';
import { SignJWT } from 'jose';

const secret = process.env.TOKEN_SECRET ?? 'only for this example, thirty-two bytes or more';
const folder = process.env.DATA_DIR ?? path.join(import.meta.dirname, 'data');
const site = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
site.listen(Number(process.env.PORT ?? 3000), 'localhost');
await new Promise((resolve) => void site.once('listening', resolve));
const { port } = site.address() as AddressInfo;

const loaded = loadConfig({
  cwd: folder,
  // Everything is said here; a configuration file would do as well.
  readFile: () => undefined,
  environment: {
    HOLDFAST_HTTP_SERVER_PORT: process.env.HOLDFAST_PORT ?? '8000',
    HOLDFAST_DATA_DIR: folder,
    HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: secret,
    HOLDFAST_CLIENT_ALLOWED_ORIGINS: `http://localhost:${port}`,
  },
});
if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
const holdfast = await startServer({ ...loaded, logger: createLogger({ level: 'warn' }) });
const inbox = holdfast.durable?.inbox;

const { outputFiles } = await build({
  entryPoints: [path.join(import.meta.dirname, 'page.tsx')],
  bundle: true,
  write: false,
  jsx: 'automatic',
  conditions: ['@holdfast/source'],
  define: { HOLDFAST_URL: JSON.stringify(holdfast.addresses[0]) },
});
const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  :root { color-scheme: light dark; font-family: system-ui, sans-serif }
  body { margin: 0 }
  header { display: flex; justify-content: space-between; align-items: center; padding: .5rem 1rem }
  main { padding: 1rem }
</style>
<div id="root"></div><script src="/page.js"></script></html>`;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const user = searchParams.get('user') ?? 'ann';
  switch (`${request.method} ${pathname}`) {
    case 'GET /':
      response.setHeader('content-type', 'text/html').end(page);
      break;
    case 'GET /page.js':
      response.setHeader('content-type', 'text/javascript').end(outputFiles[0]?.text);
      break;
    case 'GET /token': {
      const token = new SignJWT({ sub: user }).setProtectedHeader({ alg: 'HS256' });
      response.end(await token.setExpirationTime('10 minutes').sign(Buffer.from(secret)));
      break;
    }
    case 'POST /orders': {
      const title = 'Your order is on its way';
      await inbox?.send({ to: { user }, category: 'orders', title, severity: 'success' });
      response.writeHead(204).end();
      break;
    }
    default:
      response.writeHead(404).end();
  }
}

console.log(`listening on ${port}`);
process.once('SIGTERM', () => {
  site.close();
  site.closeAllConnections();
  void holdfast.stop();
});
