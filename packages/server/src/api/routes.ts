import { ReplyError, errorCodes, jsonMembers, replyErrors } from '@holdfast/protocol';
import { Hono, type Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { readBody, type BodyRefusal } from '../http/read-body.ts';
import { outcomeJson, type ApiExecutor, type ApiOutcome } from './executor.ts';
import { errorJson } from './api-json.ts';
import { apiMethods, isApiMethodName } from './methods.ts';
import { decodeUtf8, isJson, stringifyWithRaw, type JsonWithRaw } from './raw-json.ts';

/** Why a request was turned away before it reached a method; a label of the metrics. */
export type ApiRefusal = 'unauthorized' | 'forbidden' | 'malformed' | BodyRefusal;

export interface ApiRoutesOptions {
  readonly executor: ApiExecutor;
  /**
   * Whether a request may use the API. Asked before the body is read.
   * @returns the error to answer with, or undefined when it may.
   */
  readonly authorize: (context: Context) => ApiRouteError | undefined;
  /** How errors of methods are answered when the request does not say. @defaultValue 'body' */
  readonly errorMode?: ApiErrorMode;
  /** Longest request body. @defaultValue 10485760 */
  readonly maxBodyBytes?: number;
  /** Told of each request that is turned away. */
  readonly refused: (reason: ApiRefusal) => void;
}

/** `body`: HTTP 200 with an error object. `transport`: an HTTP status with the error as body. */
export type ApiErrorMode = 'body' | 'transport';

/** An answer that is given instead of running a method. */
export interface ApiRouteError {
  readonly status: ContentfulStatusCode;
  readonly reason: ApiRefusal;
  readonly error: ReplyError;
}

const bodyRefusals: Readonly<Record<BodyRefusal, readonly [ContentfulStatusCode, string]>> = {
  too_large: [413, 'the body is too large (http_api.max_body_size)'],
  encoded: [415, 'compressed bodies are not accepted, send it without Content-Encoding'],
  aborted: [400, 'the body ended too early'],
};

/**
 * The HTTP API, to be mounted at its prefix: `POST /<method>`, `POST /batch`, and `POST /` with
 * newline-delimited `{"method", "params"}` commands as old Centrifugo clients send them.
 */
export function createApiRoutes(options: ApiRoutesOptions): Hono {
  const { executor } = options;
  const maxBodyBytes = options.maxBodyBytes ?? 10_485_760;
  const app = new Hono();

  const refuse = (context: Context, refusal: ApiRouteError): Response => {
    options.refused(refusal.reason);
    // What is left of an unread body must not be taken for the next request.
    context.header('Connection', 'close');
    return context.json({ error: errorJson(refusal.error) }, refusal.status);
  };

  /** The body as valid JSON, or the answer that refuses it. An empty body counts as `{}`. */
  const readJson = async (context: Context, isValid = isJson): Promise<string | Response> => {
    const denied = options.authorize(context);
    if (denied) return refuse(context, denied);
    const body = await readBody(context, maxBodyBytes);
    if (typeof body === 'string') {
      const [status, message] = bodyRefusals[body];
      return refuse(context, { status, reason: body, error: badRequest(message) });
    }
    const text = decodeUtf8(body);
    if (text?.trim() === '') return '{}';
    if (text !== undefined && isValid(text)) return text;
    const error = badRequest('the body is not valid JSON in UTF-8');
    return refuse(context, { status: 400, reason: 'malformed', error });
  };

  const respond = (context: Context, outcome: ApiOutcome): Response => {
    const mode = context.req.header('x-centrifugo-error-mode') ?? options.errorMode;
    if ('error' in outcome && mode === 'transport') {
      return context.json(errorJson(outcome.error), httpStatusOf(outcome.error));
    }
    return sendJson(context, outcomeJson(outcome));
  };

  app.use(async (context, next) => {
    await next();
    context.header('Cache-Control', 'no-store');
    context.header('X-Content-Type-Options', 'nosniff');
  });

  app.post('/batch', async (context) => {
    const params = await readJson(context);
    if (params instanceof Response) return params;
    const outcome = await executor.executeBatch(params);
    // Unlike all other replies this one is not wrapped in `result`.
    return 'error' in outcome
      ? respond(context, outcome)
      : sendJson(context, stringifyWithRaw(outcome.result));
  });

  for (const method of Object.keys(apiMethods).filter(isApiMethodName)) {
    app.post(`/${method}`, async (context) => {
      const params = await readJson(context);
      if (params instanceof Response) return params;
      return respond(context, await executor.execute(method, params));
    });
  }

  app.post('/', async (context) => {
    const commands = await readJson(context, areJsonLines);
    if (commands instanceof Response) return commands;
    const replies: string[] = [];
    for (const command of jsonLines(commands)) replies.push(await runOldCommand(executor, command));
    return sendJson(context, replies.join('\n'));
  });

  app.on(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'], ['/', '/:method'], (context) => {
    context.header('Allow', 'POST');
    return context.json({ error: errorJson(badRequest('the API takes POST requests')) }, 405);
  });

  app.post('/:method', (context) => {
    const denied = options.authorize(context);
    if (denied) return refuse(context, denied);
    const methods = ['batch', ...Object.keys(apiMethods)].join(', ');
    const { code, message } = replyErrors.methodNotFound;
    const error = new ReplyError(code, `${message}; the methods are ${methods}`);
    return context.json({ error: errorJson(error) }, 404);
  });

  return app;
}

function sendJson(context: Context, body: string): Response {
  return context.body(body, 200, { 'Content-Type': 'application/json' });
}

function badRequest(what: string): ReplyError {
  return new ReplyError(errorCodes.badRequest.code, `bad request: ${what}`);
}

const httpStatuses: ReadonlyMap<number, ContentfulStatusCode> = new Map([
  [errorCodes.unknownChannel.code, 404],
  [errorCodes.methodNotFound.code, 404],
  [errorCodes.badRequest.code, 400],
  [errorCodes.notAvailable.code, 400],
  [errorCodes.tooManyRequests.code, 429],
  [errorCodes.unrecoverablePosition.code, 416],
  [errorCodes.concurrentPagination.code, 409],
]);

/** The HTTP status of an error in transport error mode; 500 for all that is not named. */
function httpStatusOf(error: ReplyError): ContentfulStatusCode {
  return httpStatuses.get(error.code) ?? 500;
}

/** One command that may span lines, or one command per line. */
function jsonLines(text: string): readonly string[] {
  return isJson(text) ? [text] : text.split('\n').filter((line) => line.trim() !== '');
}

function areJsonLines(text: string): boolean {
  return jsonLines(text).every(isJson);
}

/** `{"id"?, "method", "params"?}` to `{"id"?, "result" | "error"}`. */
async function runOldCommand(executor: ApiExecutor, command: string): Promise<string> {
  const members = jsonMembers(command);
  const name: unknown = JSON.parse(members?.get('method') ?? 'null');
  const method = typeof name === 'string' ? name.toLowerCase() : '';
  const outcome: ApiOutcome = isApiMethodName(method)
    ? await executor.execute(method, members?.get('params') ?? '{}')
    : { error: replyErrors.methodNotFound };
  const id = Number(members?.get('id') ?? 0);
  const reply: JsonWithRaw =
    'error' in outcome ? { error: errorJson(outcome.error) } : { result: outcome.result };
  return stringifyWithRaw({ ...(Number.isSafeInteger(id) && id > 0 && { id }), ...reply });
}
