import { ReplyError, replyErrors } from '@holdfast/protocol';
import { Hono, type Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { z } from 'zod';
import { createApiRoutes, type ApiRouteError, type ApiRoutesOptions } from '../api/routes.ts';
import { createAssetRoutes, readPage } from '../http/assets.ts';
import { pageHeaders } from '../http/page-headers.ts';
import { readBody } from '../http/read-body.ts';
import { isSameOrigin } from '../http/same-origin.ts';
import { version } from '../version.ts';
import { adminUser } from './admin-client.ts';
import type { AdminSessions, SignIn } from './admin-sessions.ts';
import type { Ticket } from './signed-ticket.ts';

export interface AdminRoutesOptions {
  readonly sessions: AdminSessions;
  /** Nobody has to sign in. @defaultValue false */
  readonly isInsecure?: boolean;
  /** The executor behind `admin/api`, the same as the API's. */
  readonly api: Omit<ApiRoutesOptions, 'authorize'>;
  /** What the page tells people about the API; the key is given only when they ask for it. */
  readonly apiAccess: {
    readonly prefix: string;
    /** Empty when the API needs none. */
    readonly key: string;
    /** Where the key was found, for people. */
    readonly keyPlace: string;
  };
  readonly websocketPath: string;
  /** Makes a connection token for trying things out; absent where the server has no secret for it. */
  readonly makeSampleToken?: () => Promise<string>;
  /** Where the API reference is, when it is served. */
  readonly referencePath?: string;
  /** Told of each attempt to sign in. */
  readonly signInTried: (outcome: SignIn['kind'], context: Context) => void;
}

const signInRequest = z.union([
  z.object({ code: z.string().max(256) }),
  z.object({ password: z.string().max(1024) }),
]);

/** Cookies do not tell ports apart, so that two servers on one machine need two names. */
function cookieName(context: Context): string {
  return `holdfast_session_${new URL(context.req.url).port || 'default'}`;
}

/** Stands for everybody where nobody has to sign in. */
const everybody: Ticket = { id: 'everybody', expiresAt: Number.MAX_SAFE_INTEGER };

/**
 * The welcome page at `/`, what it is made of at `/assets`, and what it talks to at `/admin`: signing
 * in, and the server API for those who are signed in. Everything but signing in needs a session, and
 * nothing of it can be used by a page of another origin.
 */
export function createAdminRoutes(options: AdminRoutesOptions): Hono {
  const { sessions, apiAccess } = options;
  const page = readPage('welcome.html');
  const app = new Hono();

  const sessionOf = (context: Context): Ticket | undefined =>
    options.isInsecure === true
      ? everybody
      : sessions.verify(getCookie(context, cookieName(context)) ?? '');

  const authorize = (context: Context): ApiRouteError | undefined => {
    if (!isSameOrigin(context)) return foreignOrigin;
    return sessionOf(context) ? undefined : notSignedIn;
  };

  app.get('/', (context) =>
    context.html(page, 200, { ...pageHeaders, 'Cache-Control': 'no-cache' }),
  );
  app.route('/assets', createAssetRoutes());

  app.use('/admin/*', async (context, next) => {
    await next();
    context.header('Cache-Control', 'no-store');
    context.header('X-Content-Type-Options', 'nosniff');
  });

  app.post('/admin/sign-in', async (context) => {
    if (!isSameOrigin(context)) return refuse(context, foreignOrigin);
    const body = await readBody(context, 4096);
    const secret = signInRequest.safeParse(typeof body === 'string' ? undefined : parseJson(body));
    if (!secret.success) return refuse(context, malformed);
    const signIn =
      'code' in secret.data
        ? sessions.signInWithCode(secret.data.code)
        : sessions.signInWithPassword(secret.data.password);
    options.signInTried(signIn.kind, context);
    switch (signIn.kind) {
      case 'signed_in':
        setCookie(context, cookieName(context), signIn.session, {
          httpOnly: true,
          sameSite: 'Strict',
          secure: new URL(context.req.url).protocol === 'https:',
          path: '/',
          expires: new Date(signIn.ticket.expiresAt),
        });
        return context.body(null, 204);
      case 'too_many_attempts':
        context.header('Retry-After', String(signIn.retryAfterSeconds));
        return refuse(context, tooManyAttempts);
      case 'wrong':
        return refuse(context, 'code' in secret.data ? usedLink : wrongPassword);
      default:
        return signIn satisfies never;
    }
  });

  app.post('/admin/sign-out', (context) => {
    if (!isSameOrigin(context)) return refuse(context, foreignOrigin);
    const session = sessionOf(context);
    if (session) sessions.signOut(session);
    deleteCookie(context, cookieName(context), { path: '/' });
    return context.body(null, 204);
  });

  app.get('/admin/session', (context) => {
    if (authorize(context)) {
      return context.json({ signed_in: false, password: sessions.hasPassword });
    }
    return context.json({
      signed_in: true,
      version,
      user: adminUser,
      websocket_path: options.websocketPath,
      api_prefix: apiAccess.prefix,
      api_key_needed: apiAccess.key !== '',
      api_key_place: apiAccess.keyPlace,
      can_make_tokens: options.makeSampleToken !== undefined,
      reference_path: options.referencePath,
    });
  });

  app.get('/admin/api-key', (context) => {
    const denied = authorize(context);
    return denied ? refuse(context, denied) : context.json({ key: apiAccess.key });
  });

  app.post('/admin/sample-token', async (context) => {
    const denied = authorize(context);
    if (denied) return refuse(context, denied);
    const token = await options.makeSampleToken?.();
    return token === undefined ? refuse(context, noTokens) : context.json({ token });
  });

  app.post('/admin/connection-ticket', (context) => {
    const session = sessionOf(context);
    const denied = authorize(context);
    if (denied || !session) return refuse(context, denied ?? notSignedIn);
    return context.json({ ticket: sessions.connectionTicket(session) });
  });

  app.route('/admin/api', createApiRoutes({ ...options.api, authorize }));
  return app;
}

function refusal(status: ApiRouteError['status'], error: ReplyError, what: string): ApiRouteError {
  return {
    status,
    reason: status === 403 ? 'forbidden' : status === 400 ? 'malformed' : 'unauthorized',
    error: new ReplyError(error.code, what, error.temporary),
  };
}

const notSignedIn = refusal(401, replyErrors.unauthorized, 'not signed in');
const foreignOrigin = refusal(
  403,
  replyErrors.permissionDenied,
  'a page of another origin must not use this',
);
const noTokens = refusal(404, replyErrors.notAvailable, 'this server has no secret to sign tokens');
const malformed = refusal(400, replyErrors.badRequest, 'the body must hold a code or a password');
const wrongPassword = refusal(401, replyErrors.unauthorized, 'The password is wrong.');
const usedLink = refusal(
  401,
  replyErrors.unauthorized,
  'This sign-in link was used before or is too old. Restart the server to get a new one.',
);
const tooManyAttempts = refusal(
  429,
  replyErrors.tooManyRequests,
  'Too many wrong passwords. Wait a minute.',
);

function refuse(context: Context, { status, error }: ApiRouteError): Response {
  return context.json({ error: { code: error.code, message: error.message } }, status);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}
