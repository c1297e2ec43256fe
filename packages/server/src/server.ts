import { hostname } from 'node:os';
import path from 'node:path';
import { createHub, type Hub } from '@holdfast/hub';
import type { Store } from '@holdfast/store';
import { admitAdminPages } from './admin/admin-client.ts';
import { AdminSessions } from './admin/admin-sessions.ts';
import { randomToken } from './admin/signed-ticket.ts';
import type { RpcMethod } from './api/api-method.ts';
import {
  toEventHookOptions,
  toHooksOptions,
  toHubOptions,
  type Config,
  type ConfiguredHubOptions,
  type ConfigSources,
  type ConfigWarning,
} from './config/index.ts';
import { isLoopback } from './config/rules/exposure.ts';
import { type DurableFeatures, startDurableFeatures } from './durable/durable-features.ts';
import { openJournals } from './durable/open-journals.ts';
import { openDurableStore } from './durable/open-durable-store.ts';
import { workerTokens } from './durable/request-handlers.ts';
import { serveWorkerConnections } from './durable/worker-connections.ts';
import { createEndpoints, type PortRole } from './endpoints.ts';
import { type EventHooks, installEventHooks, installHooks } from './hooks/index.ts';
import { HttpFront } from './http/http-front.ts';
import { createLogger, type ServerLogger } from './logging.ts';
import { NodeDetails } from './metrics/node-details.ts';
import { ServerMetrics } from './metrics/server-metrics.ts';
import { closePorts, openPorts, type OpenPort, renewCertificates } from './open-ports.ts';
import { StartError } from './start-error.ts';
import { RunningConfig } from './running-config.ts';
import { createTokenVerifiers, type TokenVerifiers } from './token-verifiers.ts';
import { version } from './version.ts';

/**
 * What a server is started with: a configuration that was loaded, and what an embedding program
 * adds.
 */
export interface StartServerOptions {
  readonly config: Config;
  /** Where each value came from; the welcome page says where the API key is. */
  readonly sources: ConfigSources;
  /** Written to the log. @defaultValue none */
  readonly warnings?: readonly ConfigWarning[];
  /** @defaultValue one as the section `log` of the configuration says */
  readonly logger?: ServerLogger;
  /** Methods behind the API's `rpc`, by name. @defaultValue none */
  readonly rpc?: ReadonlyMap<string, RpcMethod>;
  /** Ends a start that waits for its database. @defaultValue it waits as long as it is told to */
  readonly signal?: AbortSignal;
}

/** A server that listens. */
export interface RunningServer {
  /** URLs of the port for clients, the one for people first. */
  readonly addresses: readonly string[];
  /** URLs of the internal port; empty when there is none. */
  readonly internalAddresses: readonly string[];
  readonly hub: Hub;
  readonly logger: ServerLogger;
  /** What stands on the store; absent without one. */
  readonly durable?: Pick<DurableFeatures, 'store' | 'inbox' | 'tasks'>;
  /**
   * Opens the welcome page, once, within the hour. A secret: for the terminal of the person who
   * started the server, never for a log. Absent without the page, or where a password opens it.
   */
  readonly signInLink?: string;
  /**
   * Takes over what can change while the server runs: namespaces and what they allow, token keys,
   * allowed origins, limits of connections, certificates and the level of the log. Connections stay.
   * What needs a restart is named in the log and changes nothing.
   *
   * @throws StartError, TokenOptionError when a certificate or key cannot work; then nothing changed.
   */
  reload(config: Config): void;
  /**
   * Stops in order: accepts nothing new, finishes the HTTP requests under way, tells every client to
   * go (3001) and waits for them, at most `shutdown.timeout` in all. Idempotent; never rejects.
   */
  stop(): Promise<void>;
}

/** Longest time that HTTP requests under way hold up the farewell to clients. */
const requestDrainMs = 5_000;

/**
 * Starts the whole server: hub, HTTP API and pages, on the addresses that the configuration names.
 * Resolves when it serves.
 *
 * @throws StartError when it cannot listen, its certificate cannot work, the log file, the store or the
 * journal of an event hook cannot be opened, TokenOptionError when a token key cannot work. Nothing is
 * left behind then.
 */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const { config } = options;
  const logger = options.logger ?? createLogger(config.log);
  for (const { key, message } of options.warnings ?? []) logger.warn({ key }, message);
  const verifiers = createTokenVerifiers(config, logger);
  const front = new HttpFront(logger);
  const ports = await openPorts(config, front);
  let store: Store | undefined;
  try {
    store = await openDurableStore(config, logger, options.signal);
    return await compose({ ...options, logger }, { verifiers, front, ports, store });
  } catch (error) {
    closePorts(ports);
    await store?.close();
    throw error;
  }
}

interface Foundation {
  readonly verifiers: TokenVerifiers;
  readonly front: HttpFront;
  readonly ports: readonly OpenPort[];
  readonly store: Store | undefined;
}

/** Puts everything together behind ports that are open and answer 503. */
async function compose(
  { config, sources, logger, rpc }: StartServerOptions & { readonly logger: ServerLogger },
  { verifiers, front, ports, store }: Foundation,
): Promise<RunningServer> {
  const name = config.node.name || `${hostname()}_${ports[0]?.port ?? config.http_server.port}`;
  const details = new NodeDetails({ intervalMs: config.node.info_metrics_aggregate_interval.ms });
  const hub: Hub = createHub({
    ...hubOptions(config, ports),
    ...verifiers,
    ...(store && { journals: openJournals(store, { nodeName: name, config }) }),
    name,
    nodeDetails: () => details.read(hub.metrics),
    version,
    logger,
  });
  const runningConfig = new RunningConfig({
    config,
    hub,
    hubOptions: (changed) => hubOptions(changed, ports),
    verifiers,
    renewCertificates: (changed) => renewCertificates(ports, changed),
    logger,
  });
  const sessions = new AdminSessions({
    secret: config.admin.secret.reveal() || randomToken(),
    password: config.admin.password.reveal(),
  });
  if (config.admin.enabled) admitAdminPages(hub, sessions);
  let durable: DurableFeatures | undefined;
  const stopServingWorkers = serveWorkerConnections(hub, {
    tokens: config.tasks.enabled && store !== undefined ? workerTokens(config) : [],
    tasks: () => durable?.tasks,
    logger,
  });
  answerPings(hub, config.rpc.ping);
  const hooks = installHooks(hub, toHooksOptions(config), { logger });
  let eventHooks: EventHooks | undefined;
  const metrics = new ServerMetrics({
    hub: hub.metrics,
    badRequests: front.badRequests,
    tokens: () => Object.values(verifiers).map((verifier) => verifier.metrics),
    hooks: () => hooks.metrics(),
    eventHooks: () => eventHooks?.metrics() ?? [],
    store: () => store,
    inbox: () => durable?.inbox?.metrics,
    tasks: () => durable?.tasks?.metrics,
    rateLimitedRequests: () => durable?.userRequests.refused,
  });
  const stop = async (): Promise<void> => {
    const deadline = performance.now() + config.shutdown.timeout.ms;
    closePorts(ports);
    const drainMs = Math.min(requestDrainMs, config.shutdown.timeout.ms);
    await Promise.all([front.drain(drainMs), durable?.quiesce(drainMs)]);
    await hub.shutdown({
      timeoutMs: Math.max(0, deadline - performance.now()),
      drainWindowMs: config.shutdown.drain_window.ms,
    });
    for (const { servers } of ports) for (const server of servers) server.closeAllConnections();
    hooks.close();
    stopServingWorkers();
    await eventHooks?.close({ timeoutMs: Math.max(0, deadline - performance.now()) });
    await durable?.close();
    metrics.close();
  };
  try {
    eventHooks = await openEventHooks(hub, config, logger);
    await hub.start();
    durable = store && (await startDurableFeatures(store, { config, hub, logger }));
  } catch (error) {
    await stop();
    throw error;
  }
  for (const { role, servers } of ports) {
    const { disabled, handler_prefix: websocketPath } = config.websocket;
    // No path is empty, so an empty one leaves the other transports alone.
    for (const server of servers) {
      server.off('upgrade', front.refuseUpgrade);
      hub.attach(server, { path: disabled ? '' : websocketPath });
    }
    front.serve(
      role,
      createEndpoints(
        {
          config,
          currentConfig: () => runningConfig.current,
          sources,
          hub,
          logger,
          metrics,
          sessions,
          problems: () => hub.problems(),
          concerns: () => [
            ...hub.concerns(),
            ...hooks.problems(),
            ...(eventHooks?.problems() ?? []),
            ...(durable?.concerns() ?? []),
          ],
          requestHandlers: durable?.requestHandlers ?? [],
          rpc: rpc ?? new Map<string, RpcMethod>(),
        },
        role,
      ),
      (request, response) => hub.handleRequest(request, response),
    );
  }

  const addresses = urlsOf(ports, ['only', 'external']);
  const internalAddresses = urlsOf(ports, ['internal']);
  logger.info(
    {
      addresses,
      ...(internalAddresses.length > 0 && { internalAddresses }),
      version,
      node: hub.nodeId,
    },
    'the server is running',
  );
  let stopped: Promise<void> | undefined;
  return {
    addresses,
    internalAddresses,
    hub,
    logger,
    ...(durable && { durable }),
    ...signInLink(config, sessions, ports),
    reload: (next) => runningConfig.adopt(next),
    stop() {
      stopped ??= stop().catch((error: unknown) => {
        logger.error({ err: error }, 'stopping did not go well; the process can still end');
      });
      return stopped;
    },
  };
}

/**
 * The hub's options, with the pages of this server among the origins: they are served on loopback
 * addresses whose names nobody else can take.
 */
function hubOptions(config: Config, ports: readonly OpenPort[]): ConfiguredHubOptions {
  const options = toHubOptions(config);
  const { allowedOrigins } = options.client;
  if (!config.admin.enabled || allowedOrigins.includes('*')) return options;
  const own = ports.flatMap(({ urls }) => urls).filter(isLoopbackUrl);
  return { ...options, client: { ...options.client, allowedOrigins: [...allowedOrigins, ...own] } };
}

function isLoopbackUrl(url: string): boolean {
  const hostname = URL.parse(url)?.hostname.replaceAll(/[[\]]/g, '') ?? '';
  return isLoopback(hostname);
}

/** @throws StartError when a journal cannot be opened. */
async function openEventHooks(
  hub: Hub,
  config: Config,
  logger: ServerLogger,
): Promise<EventHooks | undefined> {
  if (config.event_hooks.length === 0) return undefined;
  const folder = path.resolve(config.data_dir, 'event-hooks');
  try {
    return await installEventHooks(hub, toEventHookOptions(config), { folder, logger });
  } catch (error) {
    throw new StartError(
      'event_journal',
      `the events for event_hooks cannot be kept in ${folder}: ${(error as Error).message}. Each running server needs a data folder of its own that it can write to (data_dir, HOLDFAST_DATA_DIR).`,
      { cause: error },
    );
  }
}

/** The RPC method that answers by itself, to measure round trips. */
function answerPings(hub: Hub, ping: Config['rpc']['ping']): void {
  if (!ping.enabled) return;
  hub.on('rpc', ({ method }) => (method === ping.method ? {} : undefined));
}

function urlsOf(ports: readonly OpenPort[], roles: readonly PortRole[]): readonly string[] {
  return ports.filter(({ role }) => roles.includes(role)).flatMap(({ urls }) => urls);
}

function signInLink(
  { admin }: Config,
  sessions: AdminSessions,
  ports: readonly OpenPort[],
): { readonly signInLink?: string } {
  if (!admin.enabled || admin.insecure || sessions.hasPassword) return {};
  const isHere = (role: PortRole): boolean =>
    role === 'only' || (role === 'external') === admin.external;
  const [url] = ports.find(({ role }) => isHere(role))?.urls ?? [];
  return url === undefined
    ? {}
    : { signInLink: `${url}${admin.handler_prefix}/#sign-in=${sessions.issueCode()}` };
}
