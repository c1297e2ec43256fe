import type { Hub, Logger } from '@holdfast/hub';
import type { Hono } from 'hono';
import type { AdminSessions } from './admin/admin-sessions.ts';
import { createAdminRoutes, type AdminRoutesOptions } from './admin/routes.ts';
import { refuseWebPages, requireApiKey } from './api/api-key.ts';
import { ApiExecutor } from './api/executor.ts';
import type { RpcMethod } from './api/api-method.ts';
import { createOpenApiDocument } from './api/open-api.ts';
import { toApiReference } from './api/api-reference.ts';
import { renderReferencePage } from './api/reference-page.ts';
import { createApiRoutes, type ApiRoutesOptions } from './api/routes.ts';
import { describeOrigin, type Config, type ConfigSources } from './config/index.ts';
import { createHealthRoutes } from './health.ts';
import type { RequestHandler } from './durable/request-handler.ts';
import { createApp } from './http/app.ts';
import { createAssetRoutes } from './http/assets.ts';
import { mountRequestHandler } from './http/mount-request-handler.ts';
import { pageHeaders } from './http/page-headers.ts';
import { createToken } from './tokens/create-token.ts';
import type { ServerMetrics } from './metrics/server-metrics.ts';

export interface EndpointsOptions {
  readonly config: Config;
  /** With what was taken over since the start. */
  readonly currentConfig: () => Config;
  readonly sources: ConfigSources;
  readonly hub: Hub;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly sessions: AdminSessions;
  /** What keeps this node from serving. */
  readonly problems: () => readonly string[];
  /** What does not work although this node can serve. Shown to everybody: no addresses in it. */
  readonly concerns: () => readonly string[];
  /** Methods behind the API's `rpc`. */
  readonly rpc: ReadonlyMap<string, RpcMethod>;
  /** What else answers requests, before the API does. */
  readonly requestHandlers: readonly RequestHandler[];
}

/** Which of the server's ports an application is for. */
export type PortRole = 'only' | 'external' | 'internal';

/**
 * Everything that is served over plain HTTP on one port. What is not for clients moves to the
 * internal port when there is one, unless it is marked `external`.
 */
export function createEndpoints(options: EndpointsOptions, role: PortRole): Hono {
  const { config, metrics, logger } = options;
  const { http_api: apiConfig, admin, swagger, prometheus, health } = config;
  const app = createApp(logger);
  const isHere = (isExternal: boolean): boolean =>
    role === 'only' || (role === 'external') === isExternal;
  const isInternal = isHere(false);

  const api: Omit<ApiRoutesOptions, 'authorize'> = {
    executor: new ApiExecutor({
      hub: options.hub,
      rpc: options.rpc,
      logger,
      finished: (method, code, seconds) => metrics.apiFinished(method, code, seconds),
    }),
    maxBodyBytes: apiConfig.max_body_size,
    errorMode: apiConfig.error_mode === 'transport' ? 'transport' : 'body',
    refused: (reason) => metrics.apiRefused(reason),
  };

  if (health.enabled && isInternal) {
    app.route('/', createHealthRoutes({ ...options, healthPath: health.handler_prefix }));
  }
  if (prometheus.enabled && isInternal) {
    app.get(prometheus.handler_prefix, async (context) =>
      context.body(await metrics.render(), 200, {
        'Content-Type': metrics.contentType,
        'Cache-Control': 'no-store',
      }),
    );
  }
  for (const handler of options.requestHandlers) {
    const isServed =
      handler.audience === 'users'
        ? role !== 'internal'
        : !apiConfig.disabled && isHere(apiConfig.external);
    if (isServed) mountRequestHandler(app, handler, options.hub);
  }
  if (!apiConfig.disabled && isHere(apiConfig.external)) {
    const key = apiConfig.key.reveal();
    const authorize = apiConfig.insecure ? refuseWebPages : requireApiKey(key);
    app.route(apiConfig.handler_prefix, createApiRoutes({ ...api, authorize }));
  }
  if (swagger.enabled && isInternal) {
    const document = createOpenApiDocument(
      apiConfig.handler_prefix,
      options.requestHandlers.flatMap(({ openApi }) => openApi ?? []),
    );
    const page = renderReferencePage(toApiReference(document));
    app.get('/openapi.json', (context) => context.json(document));
    app.get(swagger.handler_prefix, (context) => context.html(page, 200, pageHeaders));
    if (!admin.enabled) app.route('/assets', createAssetRoutes());
  }
  if (admin.enabled && isHere(admin.external)) {
    app.route(
      admin.handler_prefix,
      createAdminRoutes({
        sessions: options.sessions,
        isInsecure: admin.insecure,
        api,
        apiAccess: {
          prefix: apiConfig.handler_prefix,
          key: apiConfig.insecure ? '' : apiConfig.key.reveal(),
          keyPlace: placeOf('http_api.key', options.sources),
        },
        websocketPath: config.websocket.handler_prefix,
        ...sampleTokens(options.currentConfig),
        ...(swagger.enabled && { referencePath: swagger.handler_prefix }),
        signInTried: (outcome) => {
          if (outcome === 'signed_in') logger.info({}, 'somebody signed in to the admin page');
          else logger.warn({ outcome }, 'an attempt to sign in to the admin page failed');
        },
      }),
    );
  }
  return app;
}

/** Tokens to try things out with, for the user `visitor` during an hour. */
function sampleTokens(currentConfig: () => Config): Pick<AdminRoutesOptions, 'makeSampleToken'> {
  const { hmac_secret_key: secret, jwks_public_endpoint: jwks } = currentConfig().client.token;
  if (secret.isEmpty || jwks !== '') return {};
  return {
    makeSampleToken() {
      const { audience, issuer, ...token } = currentConfig().client.token;
      return createToken({
        user: 'visitor',
        ttlSeconds: 3_600,
        secret: token.hmac_secret_key.reveal(),
        audience,
        issuer,
        userIdClaim: token.user_id_claim,
      });
    },
  };
}

/** In words, where a value of the configuration was found. */
function placeOf(key: string, sources: ConfigSources): string {
  const origin = sources.get(key);
  return `${key}: ${origin ? describeOrigin(origin) : 'unknown'}`;
}
