import {
  createLogger,
  doctorTarget,
  examine,
  loadConfig,
  proxySettings,
  startServer,
  type CheckName,
  type ExamineOptions,
  type Finding,
  type ProxySettings,
  type RunningServer,
} from '@holdfast/server';
import { Centrifuge, type Options } from 'centrifuge';
import { EventSource } from 'eventsource';
import { vi } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '@holdfast/store/testing/free-port';

/** A server that stands behind a proxy. */
export interface ProxiedServer extends AsyncDisposable {
  readonly running: RunningServer;
  readonly port: number;
  /** Of a proxy that listens on `listenPort`. */
  readonly settings: ProxySettings;
  readonly listenPort: number;
  /** What the server has warned about, as objects. */
  readonly warnings: readonly Warning[];
}

export interface Warning {
  readonly kind?: string;
  readonly proxy?: string;
  readonly msg: string;
}

/** Everybody may connect, subscribe and recover; sections replace what is there. */
export async function startProxiedServer(sections: object = {}): Promise<ProxiedServer> {
  const loaded = loadConfig({
    cwd: '/',
    environment: {},
    configFile: 'test.yaml',
    readSecrets: () => undefined,
    readFile: () =>
      JSON.stringify({
        http_server: { address: '127.0.0.1', port: 0 },
        http_api: { key: 'key-of-a-test' },
        uni_sse: { enabled: true },
        store: { enabled: false },
        channel: {
          without_namespace: {
            history_size: 10_000,
            history_ttl: '300s',
            force_recovery: true,
            allow_subscribe_for_client: true,
            allow_subscribe_for_anonymous: true,
          },
        },
        ...sections,
        client: {
          allow_anonymous_connect_without_token: true,
          recovery_max_publication_limit: 10_000,
          allowed_origins: ['http://127.0.0.1:*'],
          ...('client' in sections ? (sections.client as object) : {}),
        },
      }),
  });
  if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
  const warnings: Warning[] = [];
  const logger = createLogger({
    level: 'warn',
    destination: { write: (line) => void warnings.push(JSON.parse(line) as Warning) },
  });
  const running = await startServer({ ...loaded, logger });
  const port = Number(new URL(running.addresses[0] ?? '').port);
  const listenPort = await freePort();
  const settings = {
    ...proxySettings(loaded.config, { publicHost: '127.0.0.1', listenPort }),
    upstreamPort: port,
  };
  return {
    running,
    port,
    settings,
    listenPort,
    warnings,
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

/** Endpoints of the transports of `centrifuge`. */
const endpoints = {
  websocket: '/connection/websocket',
  http_stream: '/connection/http_stream',
  sse: '/connection/sse',
} as const;

export type TransportName = keyof typeof endpoints;

/** An unmodified `centrifuge` client that tries these transports in turn. */
export function centrifuge(
  url: string,
  transports: readonly TransportName[],
  options: Partial<Options> = {},
): Centrifuge {
  return new Centrifuge(
    transports.map((transport) => ({ transport, endpoint: url + endpoints[transport] })),
    {
      websocket: WebSocket,
      fetch,
      readableStream: ReadableStream,
      eventsource: EventSource,
      emulationEndpoint: `${url}/emulation`,
      minReconnectDelay: 20,
      maxReconnectDelay: 100,
      ...options,
    },
  );
}

/** How `centrifuge` fares: the transport it ended up with, and whether a message came at once. */
export async function tryCentrifuge(
  { running }: ProxiedServer,
  url: string,
  transports: readonly TransportName[],
): Promise<string | undefined> {
  const client = centrifuge(url, transports);
  try {
    const channel = `try-${transports.join('-')}`;
    const received: unknown[] = [];
    let transport: string | undefined;
    client.on('connected', (context) => (transport = context.transport));
    const subscription = client.newSubscription(channel);
    subscription.on('publication', ({ data }) => received.push(data));
    subscription.subscribe();
    client.connect();
    await subscription.ready(60_000);
    await running.hub.publish(channel, { hello: channel });
    // A proxy that collects data holds it until there is much more.
    await vi.waitFor(
      () => {
        if (received.length === 0) throw new Error('nothing came');
      },
      { timeout: 60_000, interval: 20 },
    );
    return transport;
  } finally {
    client.disconnect();
  }
}

/** Opens a plain `ws` socket and speaks one command. Resolves with the status of the handshake. */
export function tryWebSocket(url: string, path = '/connection/websocket'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`);
    socket.on('unexpected-response', (_request, response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on('open', () => socket.send('{"id":1,"connect":{}}'));
    socket.on('message', (data: Buffer) => {
      socket.terminate();
      if (data.toString().startsWith('{"id":1,"connect":')) resolve(101);
      else reject(new Error(data.toString()));
    });
    socket.on('error', reject);
  });
}

/**
 * An unmodified `EventSource` on the one-way endpoint; resolves when a message has come at once, and
 * rejects when none came in time.
 */
export async function tryEventSource(
  { running }: ProxiedServer,
  url: string,
  timeout = 60_000,
): Promise<void> {
  const connect = encodeURIComponent(JSON.stringify({ subs: { events: {} } }));
  const source = new EventSource(`${url}/connection/uni_sse?cf_connect=${connect}`);
  try {
    const received: string[] = [];
    source.addEventListener('message', ({ data }) => received.push(String(data)));
    const has = (part: string): Promise<void> =>
      vi.waitFor(
        () => {
          if (!received.some((text) => text.includes(part))) throw new Error(received.join('\n'));
        },
        { timeout, interval: 20 },
      );
    await has('"connect"');
    await running.hub.publish('events', { hello: 'events' });
    await has('"hello":"events"');
  } finally {
    source.close();
  }
}

/** What the doctor finds, from outside. */
export async function examineProxy(
  url: string,
  options: Partial<ExamineOptions> = {},
): Promise<ReadonlyMap<CheckName, Finding>> {
  const target = doctorTarget(url);
  if (target === undefined) throw new Error(url);
  return examine(
    target,
    { idleSeconds: 1, connections: 10, timeoutMs: 3_000, ...options },
    () => {},
  );
}

/** The checks that did not pass, with their status. */
export function troubles(findings: ReadonlyMap<CheckName, Finding>): Record<string, string> {
  return Object.fromEntries(
    [...findings]
      .filter(([, { status }]) => status === 'warn' || status === 'fail')
      .map(([name, { status }]) => [name, status]),
  );
}
