import { ReplyError, replyErrors } from '@holdfast/protocol';
import type { Context } from 'hono';
import { SecretComparer } from '../secret-comparer.ts';
import type { ApiRouteError } from './routes.ts';

/** Lets requests through that carry the API key. An empty key lets nobody through. */
export function requireApiKey(key: string): (context: Context) => ApiRouteError | undefined {
  const comparer = key === '' ? undefined : new SecretComparer(key);
  return ({ req }) => {
    const candidate = apiKeyOf(req);
    if (candidate !== undefined && comparer?.matches(candidate)) return undefined;
    const { code, message } = replyErrors.unauthorized;
    const what = candidate === undefined ? 'is missing' : 'is wrong';
    return {
      status: 401,
      reason: 'unauthorized',
      error: new ReplyError(
        code,
        `${message}: the API key ${what}, send the server's http_api.key in the X-API-Key header`,
      ),
    };
  };
}

/**
 * For a server whose API needs no key: what reaches it from a web page is still refused, because
 * every page that its user opens could send it.
 */
export function refuseWebPages({ req }: Context): ApiRouteError | undefined {
  if (!isFromWebPage((name) => req.header(name))) return undefined;
  const { code, message } = replyErrors.permissionDenied;
  return {
    status: 403,
    reason: 'forbidden',
    error: new ReplyError(
      code,
      `${message}: while http_api.insecure is on, web pages cannot use the API`,
    ),
  };
}

/** Whether a browser sent the request for a page. */
export function isFromWebPage(header: (name: string) => string | undefined): boolean {
  return header('origin') !== undefined || header('sec-fetch-site') !== undefined;
}

/** The part of a request that may carry a key. */
export interface KeyBearer {
  header(name: string): string | undefined;
  query(name: string): string | undefined;
}

/**
 * The key that a request carries, in the three places where Centrifugo's clients put it: the header
 * `X-API-Key`, `Authorization: apikey <key>`, or the query parameter `api_key`.
 */
export function apiKeyOf(request: KeyBearer): string | undefined {
  const header = request.header('x-api-key');
  if (header) return header;
  const [scheme, credentials] = (request.header('authorization') ?? '').split(/ +/, 2);
  if (scheme?.toLowerCase() === 'apikey' && credentials) return credentials;
  return request.query('api_key') || undefined;
}
