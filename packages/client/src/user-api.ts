import { ClientError } from './client-error.ts';
import { baseOf } from './options.ts';
import { retryAfterMs } from './retry-after.ts';

/** Where the server is, and whose token is used. */
export interface UserApiOptions {
  /** Where the server is, as for `createClient`: `https://example.com`, or a path prefix of it. */
  readonly url: string;
  /** Gives the user's token. Called when one is needed: the first time, and after the server refused. */
  readonly getToken: () => Promise<string>;
  /**
   * Whose token that is. Tabs of the same user share what they load; without this, and without a `sub`
   * in the token, each tab is on its own. @defaultValue the token's `sub`
   */
  readonly user?: string;
  /** How long an answer may take. @defaultValue 15000 */
  readonly timeoutMs?: number;
  /** @defaultValue the platform's own */
  readonly fetch?: typeof globalThis.fetch;
}

/** One request in the user's name. */
export interface UserApiCall {
  /** Below the server's URL, beginning with a slash. */
  readonly path: string;
  /** @defaultValue 'POST' with a body, else 'GET' */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Members that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/**
 * Most bytes of a change that is sent even though its page ends: browsers allow 64 KiB for all such
 * requests of a page together, and refuse what is more.
 */
const maxKeptAlive = 24_576;

/** The server's HTTP operations for users, with the user's token. */
export interface UserApi {
  /** Absolute, without a slash at its end. */
  readonly url: string;
  /**
   * One request. When the server does not take the token (401), a new one is got and the request sent
   * once more. What changes something goes on when the page ends while it is under way (`keepalive`).
   *
   * @returns the JSON of the answer
   * @throws {@link ClientError} `refused` with `details.status` and `details.reason` (the server's
   * code), whose `retryable` is what the server said; `timed_out`; `outcome_unknown` when there was no
   * answer; `not_connected` when there was no token; `closed` when `signal` was aborted.
   */
  request(call: UserApiCall): Promise<unknown>;
  /**
   * Whose token it is, as far as that can be known here: a name for what is shared between tabs, no
   * proof of anything. Gets a token when there is none yet.
   */
  identity(): Promise<string | undefined>;
}

/**
 * Makes one for all features of a page, so that they share a token.
 *
 * A token of another user than the first one's is not used (`refused`): what is shown belongs to one
 * user, and must not be continued with another one's.
 *
 * @throws {@link ClientError} `misused` for a URL that is none.
 */
export function createUserApi(options: UserApiOptions): UserApi {
  const { timeoutMs = 15_000, fetch = globalThis.fetch } = options;
  const url = baseOf(options.url);
  let token: Promise<string> | undefined;
  let known: string | undefined;

  const freshToken = async (): Promise<string> => {
    let value: string;
    try {
      value = await options.getToken();
    } catch {
      throw new ClientError('not_connected', 'the application could not get a token');
    }
    const subject = options.user ?? subjectOf(value);
    if (known !== undefined && subject !== known) {
      throw new ClientError('refused', "the new token is another user's: load the page anew");
    }
    known = subject;
    return value;
  };
  const currentToken = (): Promise<string> => {
    if (token !== undefined) return token;
    const wanted = freshToken();
    token = wanted;
    // A token that could not be got is asked for again the next time.
    wanted.catch(() => {
      if (token === wanted) token = undefined;
    });
    return wanted;
  };

  const send = async (call: UserApiCall, bearer: string): Promise<Response> => {
    const { path, query = {}, body, method = body === undefined ? 'GET' : 'POST' } = call;
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, `${value}`);
    }
    const timeout = AbortSignal.timeout(timeoutMs);
    const json = body === undefined ? undefined : JSON.stringify(body);
    try {
      const suffix = search.size > 0 ? `?${search.toString()}` : '';
      return await fetch.call(globalThis, `${url}${path}${suffix}`, {
        method,
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(json === undefined ? {} : { body: json }),
        keepalive: method !== 'GET' && (json?.length ?? 0) <= maxKeptAlive,
        cache: 'no-store',
        signal: call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]),
      });
    } catch (error) {
      throw failureOf(error, { timeout, call });
    }
  };

  return {
    url,
    async request(call) {
      const used = currentToken();
      let response = await send(call, await used);
      if (response.status === 401) {
        if (token === used) token = undefined;
        response = await send(call, await currentToken());
      }
      return answerOf(response);
    },
    async identity() {
      await currentToken();
      return known;
    },
  };
}

function failureOf(
  error: unknown,
  { timeout, call }: { readonly timeout: AbortSignal; readonly call: UserApiCall },
): ClientError {
  if (call.signal?.aborted === true) return new ClientError('closed', 'the request was ended');
  if (timeout.aborted) return new ClientError('timed_out', 'the server did not answer in time');
  const why = error instanceof Error ? `: ${error.message}` : '';
  return new ClientError('outcome_unknown', `the server could not be reached${why}`);
}

interface ErrorBody {
  readonly error?: {
    readonly code?: string;
    readonly message?: string;
    readonly retryable?: boolean;
  };
}

async function answerOf(response: Response): Promise<unknown> {
  const { status } = response;
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    // An answer that was cut, or of something that is no Holdfast server.
    if (response.ok) throw new ClientError('outcome_unknown', 'the answer was cut or is no JSON');
  }
  if (response.ok) return body;
  const { code, message, retryable } = (body as ErrorBody | undefined)?.error ?? {};
  const pauseMs = retryAfterMs(response.headers);
  throw new ClientError('refused', message ?? `the server answered with status ${status}`, {
    status,
    temporary: retryable ?? (status >= 500 || status === 408 || status === 429),
    ...(code === undefined ? {} : { reason: code }),
    ...(pauseMs === undefined ? {} : { retryAfterMs: pauseMs }),
  });
}

/** The `sub` of a JWT, which is not checked here. */
function subjectOf(token: string): string | undefined {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (character) => character.codePointAt(0) ?? 0);
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { readonly sub?: unknown };
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}
