import type { z } from 'zod';
import { HttpRefusal, InvalidRequest } from './http-refusal.ts';
import type { errorBody } from './open-api.ts';
import { check, mediaType, readJson } from './read-body.ts';
import type { Route } from './route.ts';

/** What every HTTP interface is told by the server that it stands in. */
export interface HttpInterfaceOptions {
  /** Whether the request comes from the application's own servers: its API key. */
  readonly authenticateServer: (request: Request) => boolean | Promise<boolean>;
  /**
   * The user whose token the request carries, or undefined. One that throws an {@link HttpRefusal} is
   * answered with it.
   */
  readonly authenticateUser: (request: Request) => string | undefined | Promise<string | undefined>;
  /**
   * Asked about each request of a user before anything of its body is read. One that throws an
   * {@link HttpRefusal} is answered with it. @defaultValue admits everybody
   */
  readonly admitUser?: (user: string) => void;
  /** Longest JSON body. @defaultValue 1048576 */
  readonly maxBodyBytes?: number;
  /** Told of failures that are nobody's but the server's. */
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

/** A feature's routes and what they work with. */
export interface RouteTable<Service> {
  readonly routes: readonly Route<Service>[];
  /** Given to every route, member by member. */
  readonly service: Service;
  readonly basePath: string;
  /** For people: 'the inbox'. */
  readonly name: string;
  /** Code of the 400 for what does not fit the schemas. */
  readonly invalidCode: string;
}

/** Answers a request below the base path; undefined for any other. Never rejects. */
export type RouteHandler = (request: Request) => Promise<Response | undefined>;

interface Match<Service> {
  readonly route: Route<Service>;
  readonly params: Readonly<Record<string, string>>;
}

/** An error of a feature or of the store, which knows how to be answered. */
interface CodedError extends Error {
  readonly code: string;
  readonly httpStatus: number;
  readonly retryable: boolean;
}

interface Call<Service> {
  readonly request: Request;
  readonly url: URL;
  readonly match: Match<Service>;
}

/**
 * Serves a table of routes. Whoever calls is authenticated before anything of the body is read.
 *
 * Errors are `{ error: { code, message, retryable } }` with the status of the code. Errors that have
 * `code`, `httpStatus` and `retryable` are answered with these; of those from 500 on, and of all
 * others, the caller learns no more than that the server failed.
 */
export function createRouteHandler<Service extends object>(
  table: RouteTable<Service>,
  options: HttpInterfaceOptions,
): RouteHandler {
  const { basePath } = table;
  const find = createFinder(table.routes);
  return async (request) => {
    const url = new URL(request.url);
    if (url.pathname !== basePath && !url.pathname.startsWith(`${basePath}/`)) return undefined;
    try {
      const match = find(request.method, url.pathname.slice(basePath.length));
      const result = await answer(table, { request, url, match }, options);
      return result instanceof Response ? result : json(200, result);
    } catch (error) {
      const { status, body, headers } = describe(error, table, options);
      return json(status, body, headers);
    }
  };
}

async function answer<Service extends object>(
  table: RouteTable<Service>,
  call: Call<Service>,
  options: HttpInterfaceOptions,
): Promise<unknown> {
  const { service } = table;
  const { request, url } = call;
  const { route, params } = call.match;
  const user = await authenticate(call, options);
  const query =
    route.query === undefined
      ? undefined
      : check(Object.fromEntries(url.searchParams), route.query);
  const body = await readBody(call, service, options.maxBodyBytes ?? 1_048_576);
  const describeError = (error: unknown): Refusal['body'] => describe(error, table, options).body;
  return route.run({ ...service, user, params, query, body, request, describeError });
}

async function readBody<Service>(
  { request, match: { route } }: Call<Service>,
  service: Service,
  maxBytes: number,
): Promise<unknown> {
  if (route.body === undefined) return undefined;
  const { otherBody } = route;
  if (otherBody !== undefined && mediaType(request) === otherBody.mediaType) {
    return otherBody.read(request, service);
  }
  return readJson(request, route.body, maxBytes);
}

async function authenticate<Service>(
  { request, match: { route, params } }: Call<Service>,
  options: HttpInterfaceOptions,
): Promise<string> {
  if (route.side === 'server') {
    if (await options.authenticateServer(request)) return params.user ?? '';
    throw new HttpRefusal({ status: 401, code: 'unauthorized' }, 'the API key is missing or wrong');
  }
  const user = await options.authenticateUser(request);
  // The anonymous user has the empty id, and nothing of its own.
  if (user !== undefined && user !== '') {
    options.admitUser?.(user);
    return user;
  }
  throw new HttpRefusal(
    { status: 401, code: 'unauthorized', headers: { 'www-authenticate': 'Bearer' } },
    "the user's token is missing: send it as Authorization: Bearer <token>",
  );
}

function createFinder<Service>(
  routes: readonly Route<Service>[],
): (method: string, path: string) => Match<Service> {
  const compiled = routes
    .map((route) => ({ route, segments: route.path.split('/').slice(1) }))
    .toSorted((a, b) => openParts(a.segments) - openParts(b.segments));
  return (method, path) => {
    const segments = path === '' ? [] : path.split('/').slice(1);
    const first = compiled.find((one) => matchSegments(one.segments, segments) !== undefined);
    if (first === undefined) {
      throw new HttpRefusal({ status: 404, code: 'not_found' }, 'there is nothing at this address');
    }
    const params = matchSegments(first.segments, segments) ?? {};
    const methods = routes.filter(({ path: same }) => same === first.route.path);
    const route = methods.find((one) => one.method === method);
    if (route !== undefined) return { route, params };
    const allow = methods.map((one) => one.method).join(', ');
    throw new HttpRefusal(
      { status: 405, code: 'method_not_allowed', headers: { allow } },
      `this address takes ${allow}`,
    );
  };
}

function openParts(segments: readonly string[]): number {
  return segments.filter((segment) => segment.startsWith('{')).length;
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
    if (segment === '') return undefined;
    const value = decode(segment);
    if (value === undefined) return undefined;
    params[expected.slice(1, -1)] = value;
  }
  return params;
}

/** Nothing has a name with control characters, and not every database takes the question. */
function decode(segment: string): string | undefined {
  try {
    const value = decodeURIComponent(segment);
    return /\p{Cc}/u.test(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

function isCoded(error: unknown): error is CodedError {
  return error instanceof Error && 'httpStatus' in error && 'retryable' in error && 'code' in error;
}

interface Refusal {
  readonly status: number;
  readonly body: z.output<typeof errorBody>;
  readonly headers: Readonly<Record<string, string>>;
}

function describe<Service>(
  error: unknown,
  { name, invalidCode }: RouteTable<Service>,
  { onProblem = () => {} }: HttpInterfaceOptions,
): Refusal {
  if (error instanceof HttpRefusal) {
    const { status, code, message, retryable, headers } = error;
    return { status, body: { error: { code, message, retryable } }, headers };
  }
  if (error instanceof InvalidRequest) {
    const { message } = error;
    const body = { error: { code: invalidCode, message, retryable: false } };
    return { status: 400, body, headers: {} };
  }
  if (isCoded(error)) {
    const { code, retryable, httpStatus: status } = error;
    const isOurs = status >= 500;
    if (isOurs) onProblem({ message: `a request to ${name} failed`, cause: error });
    // What the database says is for the log, not for whoever asked.
    const message = isOurs ? 'the server cannot do this now' : error.message;
    const body = { error: { code, message, retryable } };
    return { status, body, headers: retryable ? { 'retry-after': '1' } : {} };
  }
  onProblem({ message: `a request to ${name} failed`, cause: error });
  const body = { error: { code: 'internal', message: 'the server failed', retryable: true } };
  return { status: 500, body, headers: {} };
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
