import { Hono } from 'hono';

/**
 * `GET /health` says that the process lives, whatever else is broken: an orchestrator restarts what
 * fails it, and a restart mends no broker. `GET /ready` says whether this node can serve, and what
 * keeps it from doing so.
 */
export function createHealthRoutes(
  problems: () => readonly string[],
  healthPath = '/health',
): Hono {
  const app = new Hono();
  app.get(healthPath, (context) => context.json({}, 200, { 'Cache-Control': 'no-store' }));
  app.get('/ready', (context) => {
    const found = problems();
    const isReady = found.length === 0;
    return context.json(
      { ready: isReady, ...(!isReady && { problems: found }) },
      isReady ? 200 : 503,
      { 'Cache-Control': 'no-store' },
    );
  });
  return app;
}
