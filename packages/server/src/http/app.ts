import type { Logger } from '@holdfast/hub';
import { Hono } from 'hono';

/** A Hono application with this server's answers to what is not there and what went wrong. */
export function createApp(logger: Logger): Hono {
  const app = new Hono();
  const nothing = { error: { code: 'not_found', message: 'there is nothing at this path' } };
  // A page that diagnoses its connection reads this from any origin.
  app.notFound((context) => context.json(nothing, 404, { 'Access-Control-Allow-Origin': '*' }));
  app.onError((error, context) => {
    logger.error({ err: error, path: context.req.path }, 'a request failed unexpectedly');
    return context.json({ error: { code: 'internal', message: 'internal server error' } }, 500);
  });
  return app;
}
