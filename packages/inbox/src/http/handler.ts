import { StoreError } from '@holdfast/store';
import { InboxError } from '../errors.ts';
import type { Inbox } from '../inbox.ts';
import type { SendRequest } from '../sends.ts';
import { HttpRefusal } from './http-refusal.ts';
import { check, mediaType, parseJson, readJson, readLines } from './read-body.ts';
import { routes, type Route } from './routes.ts';
import { streamedSendRequest } from './schemas.ts';

export interface InboxHandlerOptions {
  /** @defaultValue '/inbox' */
  readonly basePath?: string;
  /** Whether the request comes from the application's own servers: its API key. */
  readonly authenticateServer: (request: Request) => boolean | Promise<boolean>;
  /** The user whose token the request carries, or undefined. */
  readonly authenticateUser: (request: Request) => string | undefined | Promise<string | undefined>;
  /** Longest JSON body. @defaultValue 1048576 */
  readonly maxBodyBytes?: number;
  /** Most users of one streamed send. @defaultValue 1000000 */
  readonly maxRecipients?: number;
  /** Told of failures that are nobody's but the server's. */
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

/** Answers a request below the base path; undefined for any other. Never rejects. */
export type InboxHandler = (request: Request) => Promise<Response | undefined>;

interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * The inbox over HTTP, for any server that speaks `Request` and `Response`: operations of servers
 * (API key) and, below `/me`, of users (their token), who can reach nothing but their own.
 *
 * Errors are `{ error: { code, message, retryable } }` with the status of the code.
 */
export function createInboxHandler(inbox: Inbox, options: InboxHandlerOptions): InboxHandler {
  const { basePath = '/inbox', onProblem = () => {} } = options;
  return async (request) => {
    const url = new URL(request.url);
    if (url.pathname !== basePath && !url.pathname.startsWith(`${basePath}/`)) return undefined;
    try {
      const match = findRoute(request.method, url.pathname.slice(basePath.length));
      return json(200, await answer(inbox, { request, url, match, options }));
    } catch (error) {
      return toResponse(error, onProblem);
    }
  };
}

async function answer(
  inbox: Inbox,
  call: {
    readonly request: Request;
    readonly url: URL;
    readonly match: Match;
    readonly options: InboxHandlerOptions;
  },
): Promise<unknown> {
  const { request, url, options } = call;
  const { route, params } = call.match;
  const user = await authenticate(route, { request, params, options });
  const query =
    route.query === undefined
      ? undefined
      : check(Object.fromEntries(url.searchParams), route.query);
  if (route.path === '/send' && mediaType(request) === 'application/x-ndjson') {
    return inbox.send(await streamedSend(request, options.maxRecipients ?? 1_000_000));
  }
  const body =
    route.body === undefined
      ? undefined
      : await readJson(request, route.body, options.maxBodyBytes ?? 1_048_576);
  return route.run({ inbox, user, params, query, body });
}

/** Before anything of the body is read. */
async function authenticate(
  route: Route,
  call: {
    readonly request: Request;
    readonly params: Readonly<Record<string, string>>;
    readonly options: InboxHandlerOptions;
  },
): Promise<string> {
  const { request, params, options } = call;
  if (route.side === 'server') {
    if (await options.authenticateServer(request)) return params.user ?? '';
    throw new HttpRefusal({ status: 401, code: 'unauthorized' }, 'the API key is missing or wrong');
  }
  const user = await options.authenticateUser(request);
  // The anonymous user has the empty id, and no inbox.
  if (user !== undefined && user !== '') return user;
  throw new HttpRefusal(
    { status: 401, code: 'unauthorized', headers: { 'www-authenticate': 'Bearer' } },
    "the user's token is missing, expired or wrong",
  );
}

async function streamedSend(request: Request, maxRecipients: number): Promise<SendRequest> {
  const lines = readLines(request);
  const first = await lines.next();
  if (first.done === true) throw new InboxError('inbox_invalid', 'the body is empty');
  const content = parseJson(first.value, streamedSendRequest);
  return { ...content, to: { users: readUsers(lines, maxRecipients) } } as SendRequest;
}

async function* readUsers(
  lines: AsyncGenerator<string>,
  maxRecipients: number,
): AsyncGenerator<string> {
  let count = 0;
  for await (const line of lines) {
    count += 1;
    if (count > maxRecipients) {
      throw new InboxError('inbox_invalid', `a send can have ${maxRecipients} recipients`);
    }
    yield parseUser(line);
  }
}

function parseUser(line: string): string {
  let user: unknown;
  try {
    user = JSON.parse(line);
  } catch {
    user = undefined;
  }
  if (typeof user === 'string') return user;
  throw new InboxError('inbox_invalid', 'every line after the first must be a JSON string');
}

const compiled = routes.map((route) => ({
  route,
  segments: route.path.split('/').slice(1),
}));

function findRoute(method: string, path: string): Match {
  const segments = path === '' ? [] : path.split('/').slice(1);
  const allowed: string[] = [];
  for (const candidate of compiled) {
    const params = matchSegments(candidate.segments, segments);
    if (params === undefined) continue;
    if (candidate.route.method === method) return { route: candidate.route, params };
    allowed.push(candidate.route.method);
  }
  if (allowed.length === 0) {
    throw new HttpRefusal({ status: 404, code: 'not_found' }, 'there is nothing at this address');
  }
  const allow = allowed.join(', ');
  throw new HttpRefusal(
    { status: 405, code: 'method_not_allowed', headers: { allow } },
    `this address takes ${allow}`,
  );
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!expected.startsWith('{')) {
      if (segment !== expected) return undefined;
      continue;
    }
    try {
      params[expected.slice(1, -1)] = decodeURIComponent(segment);
    } catch {
      return undefined;
    }
  }
  return params;
}

function toResponse(
  error: unknown,
  onProblem: NonNullable<InboxHandlerOptions['onProblem']>,
): Response {
  if (error instanceof HttpRefusal) {
    const { status, code, message } = error;
    return json(status, { error: { code, message, retryable: false } }, error.headers);
  }
  if (error instanceof InboxError || error instanceof StoreError) {
    const { code, retryable, httpStatus } = error;
    const isOurs = httpStatus >= 500;
    if (isOurs) onProblem({ message: 'a request to the inbox failed', cause: error });
    // What the database says is for the log, not for whoever asked.
    const message = isOurs ? 'the server cannot do this now' : error.message;
    return json(
      httpStatus,
      { error: { code, message, retryable } },
      retryable ? { 'retry-after': '1' } : {},
    );
  }
  onProblem({ message: 'a request to the inbox failed', cause: error });
  const message = 'the server failed';
  return json(500, { error: { code: 'internal', message, retryable: true } });
}

function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(body, {
    status,
    headers: { 'cache-control': 'no-store', ...headers },
  });
}
