import type { Hub } from '@holdfast/hub';
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { RequestHandler } from '../durable/request-handler.ts';

/** How long browsers may remember the answer to a preflight, in seconds. */
const preflightMaxAge = '300';

/** Serves a handler's path and everything below it. */
export function mountRequestHandler(
  app: Hono,
  { path, audience, handle }: RequestHandler,
  hub: Pick<Hub, 'originProblem'>,
): void {
  const answer = async (context: Context, next: () => Promise<void>): Promise<Response | void> => {
    if (audience === 'users') {
      const refusal = admitPage(context, hub);
      if (refusal !== undefined) return refusal;
    }
    const response = await handle(context.req.raw);
    if (response === undefined) return next();
    return context.newResponse(response.body, response);
  };
  app.all(path, answer);
  app.all(`${path}/*`, answer);
}

/** Lets pages of allowed origins read the answer, by the rule that holds for connections. */
function admitPage(context: Context, hub: Pick<Hub, 'originProblem'>): Response | undefined {
  const origin = context.req.header('origin');
  if (origin === undefined) return undefined;
  const { incoming } = context.env as HttpBindings;
  const problem = hub.originProblem(incoming);
  if (problem !== undefined) {
    const { status, code, message } = problem;
    // So that the page that was refused can read why.
    return Response.json(
      { error: { code, message, retryable: false } },
      { status, headers: { 'Access-Control-Allow-Origin': '*' } },
    );
  }
  context.header('Access-Control-Allow-Origin', origin);
  context.header('Access-Control-Allow-Credentials', 'true');
  context.header('Vary', 'Origin');
  if (context.req.method !== 'OPTIONS') return undefined;
  const headers = context.req.header('access-control-request-headers');
  context.header('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE, OPTIONS');
  context.header('Access-Control-Max-Age', preflightMaxAge);
  if (headers !== undefined) context.header('Access-Control-Allow-Headers', headers);
  return context.body(null, 204);
}
