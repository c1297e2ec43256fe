import { Hono } from 'hono';

export interface HealthRoutesOptions {
  /** What keeps this node from serving. */
  readonly problems: () => readonly string[];
  /**
   * What does not work, but on no node, or not so that clients would be better off elsewhere. Shown
   * to everybody, as problems are: no addresses in it.
   */
  readonly concerns: () => readonly string[];
  /** @defaultValue '/health' */
  readonly healthPath?: string;
}

/**
 * `GET /health` says that the process lives, whatever else is broken: an orchestrator restarts what
 * fails it, and a restart mends no broker. `GET /ready` says whether this node can serve, and what
 * keeps it from doing so. A backend that is down is a concern, not a problem: if every node took itself
 * out of service for it, clients that don't need the backend would lose their connections too.
 */
export function createHealthRoutes({
  problems,
  concerns,
  healthPath = '/health',
}: HealthRoutesOptions): Hono {
  const app = new Hono();
  app.get(healthPath, (context) => context.json({}, 200, { 'Cache-Control': 'no-store' }));
  app.get('/ready', (context) => {
    const found = { problems: problems(), concerns: concerns() };
    const isReady = found.problems.length === 0;
    return context.json(
      {
        ready: isReady,
        ...(!isReady && { problems: found.problems }),
        ...(found.concerns.length > 0 && { concerns: found.concerns }),
      },
      isReady ? 200 : 503,
      { 'Cache-Control': 'no-store' },
    );
  });
  return app;
}
