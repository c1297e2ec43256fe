import type { Config } from '../config/index.ts';

/** What a proxy in front of the server has to know. */
export interface ProxySettings {
  /** Name under which clients know the service. */
  readonly publicHost: string;
  /** Port that the proxy listens on. */
  readonly listenPort: number;
  readonly upstreamHost: string;
  readonly upstreamPort: number;
  /** Whether the server itself speaks TLS. */
  readonly isUpstreamTls: boolean;
  /** Paths of the endpoints for clients, exactly these. */
  readonly paths: readonly string[];
  /** Paths of what users read and change over plain HTTP: these, and all below them. */
  readonly trees: readonly string[];
  /** How long a connection may be silent: several pings. In whole seconds. */
  readonly idleSeconds: number;
  /** Longest request body of a client in bytes. */
  readonly maxBodyBytes: number;
  /** How long a node that stops waits for its clients, in whole seconds. */
  readonly drainSeconds: number;
}

/** Pings that may get lost before a proxy gives a connection up. */
const pingsPerIdleTimeout = 4;
/** For servers that send no pings: all that a proxy can do is wait long. */
const idleSecondsWithoutPings = 3_600;

/** The settings that follow from a configuration. */
export function proxySettings(
  config: Config,
  given: { readonly publicHost?: string; readonly listenPort?: number } = {},
): ProxySettings {
  const { http_server: http, client, shutdown } = config;
  const pingMs = client.ping_interval.ms;
  const streams = [config.http_stream, config.sse];
  const { polling } = config;
  const oneWay = [config.uni_sse, config.uni_http_stream];
  const inbox = config.store.enabled && config.inbox.enabled ? config.inbox : undefined;
  const tasks = config.store.enabled && config.tasks.enabled ? config.tasks : undefined;
  const hasFace = inbox?.faces.tradingagents === true;
  const isEmulated = streams.some(({ enabled }) => enabled);
  const bodies = [
    ...streams,
    polling,
    ...oneWay,
    { ...config.emulation, enabled: isEmulated },
  ].filter(({ enabled }) => enabled);
  return {
    publicHost: given.publicHost ?? 'rt.example.com',
    listenPort: given.listenPort ?? 80,
    upstreamHost: ['', 'localhost', '0.0.0.0', '::'].includes(http.address)
      ? '127.0.0.1'
      : http.address,
    upstreamPort: http.port,
    isUpstreamTls: http.tls.enabled,
    paths: [
      { ...config.websocket, enabled: !config.websocket.disabled },
      config.uni_websocket,
      config.init,
      ...bodies,
    ]
      .filter(({ enabled }) => enabled)
      .map(({ handler_prefix: path }) => path)
      .concat(hasFace ? ['/api/ws/notifications'] : []),
    trees: [
      ...(inbox === undefined ? [] : [`${inbox.handler_prefix}/me`]),
      ...(tasks === undefined ? [] : [`${tasks.handler_prefix}/me`]),
      ...(hasFace ? ['/api/notifications'] : []),
    ],
    idleSeconds:
      pingMs > 0
        ? Math.max(60, Math.ceil((pingsPerIdleTimeout * pingMs) / 1000))
        : idleSecondsWithoutPings,
    maxBodyBytes: Math.max(
      1_024,
      ...bodies.map(({ max_request_body_size: size }) => size),
      inbox?.max_body_size ?? 0,
    ),
    drainSeconds: Math.ceil(shutdown.timeout.ms / 1000),
  };
}
