import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Hono } from 'hono';
import { pageHeaders } from './page-headers.ts';

const folder = new URL('../../assets/', import.meta.url);
/** The browser build of the npm client, which its package does not name among its doors. */
const centrifuge = new URL('../dist/centrifuge.js', import.meta.resolve('centrifuge'));

const contentTypes = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

const files: Readonly<Record<string, URL>> = {
  'centrifuge.js': centrifuge,
  'icon.svg': new URL('icon.svg', folder),
  'snippets.js': new URL('snippets.js', folder),
  'style.css': new URL('style.css', folder),
  'welcome.js': new URL('welcome.js', folder),
};

/** A page of this server as it is on disk. */
export function readPage(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

/**
 * What pages are made of, by name from a fixed list: no path of a request ever reaches the disk.
 * To be mounted at `/assets`.
 */
export function createAssetRoutes(): Hono {
  const app = new Hono();
  for (const [name, url] of Object.entries(files)) {
    const body = readFileSync(url);
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    const extension = name.slice(name.lastIndexOf('.') + 1) as keyof typeof contentTypes;
    const headers = {
      ...pageHeaders,
      'Content-Type': contentTypes[extension],
      'Cache-Control': 'no-cache',
      ETag: etag,
    };
    app.get(`/${name}`, (context) =>
      context.req.header('if-none-match') === etag
        ? context.body(null, 304, headers)
        : context.body(body, 200, headers),
    );
  }
  return app;
}
