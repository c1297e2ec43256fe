import type { Context } from 'hono';

/**
 * Whether a request that changes something comes from a page of this server, or from no page at all.
 * Browsers say which page it is; a cookie alone does not.
 */
export function isSameOrigin({ req }: Context): boolean {
  const site = req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const origin = req.header('origin');
  if (origin === undefined) return true;
  return URL.parse(origin)?.host === req.header('host');
}
