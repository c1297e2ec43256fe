import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { codecFor, type Disconnect, type Format } from '@holdfast/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { AdmissionControl } from '../admission-control.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../hub.ts';
import type { HubMetrics } from '../metrics.ts';
import type { ClientOptions, WebSocketOptions } from '../options.ts';
import { compileOrigins } from '../origins.ts';
import type { Session } from '../session.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { type HttpRefusal, refuseOnSocket } from './http-refusal.ts';
import type { Transport } from './transport.ts';
import { WebSocketTransport } from './websocket.ts';
import { FrameMemo } from './websocket-frame.ts';

const subprotocols: Readonly<Record<string, Format>> = {
  'centrifuge-json': 'json',
  'centrifuge-protobuf': 'protobuf',
};

/** How long the closing handshake may take before the socket is cut. */
const closeTimeoutMs = 5_000;

export interface WebSocketListenerOptions {
  readonly options: WebSocketOptions;
  readonly client: ClientOptions;
  readonly metrics: HubMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly open: (transport: Transport) => Session;
}

/** Turns upgrade requests into sessions, or into answers that say what is wrong. */
export class WebSocketListener {
  readonly #options: WebSocketListenerOptions;
  readonly #server: WebSocketServer;
  readonly #isOriginAllowed: (origin: string) => boolean;
  readonly #admission: AdmissionControl;
  readonly #frames: Readonly<Record<Format, FrameMemo>>;
  readonly #sessions = new Set<Session>();
  #whenEmpty: (() => void) | undefined;
  #isClosing = false;

  constructor(options: WebSocketListenerOptions) {
    this.#options = options;
    const { messageSizeLimit, maxFragments, compression, compressionMinSize } = options.options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: messageSizeLimit,
      maxFragments,
      closeTimeout: closeTimeoutMs,
      // A client that offers several gets the first one that we know.
      handleProtocols: (offered) => [...offered].find((name) => name in subprotocols) ?? false,
      perMessageDeflate: compression && {
        // Without takeover no compression state outlives a message: about 300 KB less a connection.
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        threshold: compressionMinSize,
        concurrencyLimit: 10,
      },
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    this.#isOriginAllowed = compileOrigins(options.client.allowedOrigins);
    this.#admission = new AdmissionControl(options.client, options.clock);
    this.#frames = {
      json: new FrameMemo(codecFor('json')),
      protobuf: new FrameMemo(codecFor('protobuf')),
    };
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      this.#refuse(socket, refusal);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(webSocket, socket as Socket, request);
    });
  }

  refuseUnknownPath(socket: Duplex): void {
    this.#refuse(socket, {
      status: 404,
      code: 'not_found',
      message: 'there is no WebSocket endpoint at this path; the default is /connection/websocket',
    });
  }

  #refuse(socket: Duplex, refusal: HttpRefusal): void {
    this.#options.metrics.refusedHandshakes.add(refusal.code);
    refuseOnSocket(socket, refusal);
  }

  #refusalOf(request: IncomingMessage): HttpRefusal | undefined {
    if (this.#isClosing) {
      return {
        status: 503,
        code: 'shutting_down',
        message: 'this node is shutting down; connect again to reach another one',
        headers: { 'Retry-After': '1' },
      };
    }
    return (
      handshakeProblem(request) ??
      this.#originProblem(request) ??
      this.#admission.refusal(this.#sessions.size)
    );
  }

  #originProblem(request: IncomingMessage): HttpRefusal | undefined {
    const { origin } = request.headers;
    if (origin === undefined || this.#isOriginAllowed(origin)) return undefined;
    const { logger } = this.#options;
    logger.warn(
      { origin: origin.slice(0, 255) },
      "a connection was refused: its Origin matches no pattern of 'client.allowed_origins'",
    );
    return {
      status: 403,
      code: 'origin_not_allowed',
      message:
        "the Origin of this page is not allowed: add it to 'client.allowed_origins' of the server",
    };
  }

  #open(webSocket: WebSocket, socket: Socket, request: IncomingMessage): void {
    const { metrics, logger, timers, clock, options, open } = this.#options;
    const query = new URLSearchParams((request.url ?? '').split('?', 2)[1]);
    const format = formatOf(webSocket.protocol, query);
    const transport = new WebSocketTransport({
      webSocket,
      socket,
      request,
      format,
      timers,
      frames: this.#frames[format],
      pingsNatively: query.get('cf_ws_frame_ping_pong') === 'true',
      compressionMinSize: options.compressionMinSize,
      writeTimeoutMs: options.writeTimeoutMs,
      monotonic: () => clock.monotonic(),
    });
    const session = open(transport);
    this.#sessions.add(session);
    metrics.connections = this.#sessions.size;
    webSocket.on('error', (error: Error & { readonly code?: string }) => {
      // `ws` has already sent the close code that RFC 6455 asks for.
      metrics.websocketErrors.add(error.code ?? 'socket');
      logger.info({ client: session.id, cause: error.code }, `websocket error: ${error.message}`);
    });
    webSocket.on('close', () => {
      this.#sessions.delete(session);
      metrics.connections = this.#sessions.size;
      transport.closed();
      if (this.#sessions.size === 0) this.#whenEmpty?.();
    });
    transport.bind(session);
  }

  /** Refuses newcomers, tells everybody to go, and cuts those that have not gone in time. */
  async close(options: {
    readonly disconnect: Disconnect;
    readonly timeoutMs: number;
  }): Promise<void> {
    this.#isClosing = true;
    if (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, options.timeoutMs);
        this.#whenEmpty = () => {
          clearTimeout(deadline);
          resolve();
        };
        for (const session of this.#sessions) session.close(options.disconnect);
      });
    }
    for (const session of this.#sessions) session.transport.terminate();
    this.#server.close();
  }
}

/** What RFC 6455 §4.2.1 demands of the opening handshake. */
function handshakeProblem({ method, headers }: IncomingMessage): HttpRefusal | undefined {
  if (method !== 'GET') {
    return {
      status: 405,
      code: 'method_not_allowed',
      message: 'a WebSocket handshake is a GET request',
      headers: { Allow: 'GET' },
    };
  }
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    return {
      status: 426,
      code: 'upgrade_required',
      message: "the request asks for another protocol: this endpoint takes 'Upgrade: websocket'",
      headers: { Upgrade: 'websocket' },
    };
  }
  if (headers['sec-websocket-version'] !== '13') {
    return {
      status: 426,
      code: 'unsupported_websocket_version',
      message: 'only version 13 of the WebSocket protocol (RFC 6455) is spoken here',
      headers: { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
    };
  }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) {
    return {
      status: 400,
      code: 'bad_websocket_key',
      message: 'Sec-WebSocket-Key is missing or is not 16 bytes in base64',
    };
  }
  const offered = headers['sec-websocket-protocol'];
  if (offered !== undefined && !offered.split(',').some((name) => name.trim() in subprotocols)) {
    return {
      status: 400,
      code: 'unknown_subprotocol',
      message: `none of the offered subprotocols is known; there are ${Object.keys(subprotocols).join(' and ')}`,
    };
  }
  return undefined;
}

function formatOf(subprotocol: string, query: URLSearchParams): Format {
  const chosen = subprotocols[subprotocol];
  if (chosen !== undefined) return chosen;
  const asked = query.get('format') ?? query.get('cf_protocol');
  return asked === 'protobuf' ? 'protobuf' : 'json';
}
