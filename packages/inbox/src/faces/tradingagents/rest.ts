import { HttpRefusal } from '@holdfast/http';
import { StoreError } from '@holdfast/store';
import { InboxError } from '../../errors.ts';
import type { Inbox } from '../../inbox.ts';
import { legacyTime, toLegacy, typedCategories } from './legacy-notification.ts';

export interface LegacyRestOptions {
  readonly inbox: Inbox;
  /** The user whose token the request carries, or undefined. */
  readonly authenticateUser: (request: Request) => string | undefined | Promise<string | undefined>;
  /** Asked about each request of a user. One that throws an `HttpRefusal` is answered with it. */
  readonly admitUser: (user: string) => void;
  /** Whether the request carries the API key. */
  readonly authenticateServer: (request: Request) => boolean | Promise<boolean>;
  /** Live views of who listens: connections by user, of each way to listen. */
  readonly connections: readonly ReadonlyMap<string, number>[];
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onProblem: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly user: string;
  readonly id: string;
}

/** Refused with FastAPI's form of an error, which the interface shows. */
class LegacyRefusal extends Error {
  override readonly name = 'LegacyRefusal';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/**
 * The notification endpoints below `/api` that the interface of TradingAgents-CN calls. Answers
 * undefined for any other address, and never rejects. Unlike the original, reading what is already
 * read succeeds.
 */
export function createLegacyRest(
  options: LegacyRestOptions,
): (request: Request) => Promise<Response | undefined> {
  const { inbox, connections } = options;

  const routes: readonly {
    readonly method: string;
    readonly pattern: RegExp;
    readonly run: (call: Call) => Promise<unknown>;
  }[] = [
    {
      method: 'GET',
      pattern: /^\/api\/notifications$/,
      async run({ user, url }) {
        const page = wholeNumber(url, 'page', { fallback: 1, max: 1_000_000 });
        const pageSize = wholeNumber(url, 'page_size', { fallback: 20, max: 100 });
        const { items, total } = await inbox.page(user, {
          page,
          pageSize,
          status: statusOf(url),
          ...typeFilter(url),
        });
        return { items: items.map(toLegacy), total, page, page_size: pageSize };
      },
    },
    {
      method: 'GET',
      pattern: /^\/api\/notifications\/unread_count$/,
      run: async ({ user }) => ({ count: (await inbox.counts(user)).total }),
    },
    {
      method: 'POST',
      pattern: /^\/api\/notifications\/read_all$/,
      run: async ({ user }) => ({ updated: (await inbox.readAll(user)).changed.length }),
    },
    {
      method: 'POST',
      pattern: /^\/api\/notifications\/([^/]+)\/read$/,
      async run({ user, id }) {
        const { notFound } = await inbox.markRead(user, [id]);
        if (notFound.length > 0) throw new LegacyRefusal(404, 'Notification not found');
        return null;
      },
    },
  ];

  async function answer(request: Request, url: URL): Promise<unknown> {
    if (url.pathname === '/api/ws/stats') return stats(request);
    const matching = routes.filter(({ pattern }) => pattern.test(url.pathname));
    if (matching.length === 0) throw new LegacyRefusal(404, 'Not Found');
    const route = matching.find(({ method }) => method === request.method);
    if (route === undefined) {
      const allow = matching.map(({ method }) => method).join(', ');
      throw new LegacyRefusal(405, 'Method Not Allowed', { allow });
    }
    const user = await options.authenticateUser(request);
    if (user === undefined || user === '') {
      throw new LegacyRefusal(401, 'Not authenticated', { 'www-authenticate': 'Bearer' });
    }
    options.admitUser(user);
    const id = decode(route.pattern.exec(url.pathname)?.[1] ?? '');
    return envelope(await route.run({ request, url, user, id }));
  }

  /** The original shows it to everybody, user ids included. */
  async function stats(request: Request): Promise<unknown> {
    if (!(await options.authenticateServer(request))) {
      throw new LegacyRefusal(401, 'the API key is missing or wrong');
    }
    const users = new Map<string, number>();
    for (const counts of connections) {
      for (const [user, count] of counts) users.set(user, (users.get(user) ?? 0) + count);
    }
    return {
      total_users: users.size,
      total_connections: [...users.values()].reduce((sum, count) => sum + count, 0),
      users: Object.fromEntries(users),
    };
  }

  const envelope = (data: unknown): object => ({
    success: true,
    data,
    message: 'ok',
    timestamp: legacyTime(options.now()),
  });

  return async (request) => {
    const url = new URL(request.url);
    if (!/^\/api\/(?:notifications(?:\/|$)|ws\/stats$)/.test(url.pathname)) return undefined;
    try {
      return json(200, await answer(request, url));
    } catch (error) {
      return refusalOf(error, options.onProblem);
    }
  };
}

function refusalOf(error: unknown, onProblem: LegacyRestOptions['onProblem']): Response {
  if (error instanceof LegacyRefusal || error instanceof HttpRefusal) {
    return json(error.status, { detail: error.message }, error.headers);
  }
  if (error instanceof InboxError && error.httpStatus < 500) {
    const status = error.httpStatus === 400 ? 422 : error.httpStatus;
    return json(status, { detail: error.message });
  }
  onProblem({ message: 'a request to the TradingAgents face failed', cause: error });
  if (error instanceof InboxError || error instanceof StoreError) {
    const headers: Record<string, string> = error.retryable ? { 'retry-after': '1' } : {};
    return json(error.httpStatus, { detail: 'the server cannot do this now' }, headers);
  }
  return json(500, { detail: 'the server failed' });
}

function statusOf(url: URL): 'unread' | 'read' | 'all' {
  const status = url.searchParams.get('status');
  return status === 'unread' || status === 'read' ? status : 'all';
}

function typeFilter(url: URL): {
  readonly categories?: readonly string[];
  readonly exceptCategories?: readonly string[];
} {
  const type = url.searchParams.get('type');
  if (type === 'system') return { exceptCategories: typedCategories };
  const found = typedCategories.find((category) => category === type);
  return found === undefined ? {} : { categories: [found] };
}

function wholeNumber(
  url: URL,
  name: string,
  { fallback, max }: { readonly fallback: number; readonly max: number },
): number {
  const text = url.searchParams.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= 1 && value <= max) return value;
  throw new LegacyRefusal(422, `${name} must be a whole number from 1 to ${max}`);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } });
}
