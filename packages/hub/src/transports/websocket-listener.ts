import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { codecFor, type Format } from '@holdfast/protocol';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { ConnectionGate } from '../connection-gate.ts';
import type { Handshake } from '../handshake-queue.ts';
import type { HubContext } from '../hub-context.ts';
import type { WebSocketOptions } from '../transport-options.ts';
import type { Session } from '../session.ts';
import { connectFirst } from './connect-first.ts';
import { connectOneWay } from './connect-one-way.ts';
import type { DialectRoom } from './dialect.ts';
import { type HttpRefusal, refuseOnSocket } from './http-refusal.ts';
import { rescuedFrom } from './handshake-message.ts';
import { addressOf } from './proxy-faults.ts';
import { quietMsOf } from './quiet.ts';
import { requestTarget } from './request-target.ts';
import { strippedUpgrade, type StrippedUpgrade } from './stripped-upgrade.ts';
import { answerWithoutUpgrade } from './upgrade-answer.ts';
import { WebSocketTransport } from './websocket.ts';
import { FrameMemo } from './websocket-frame.ts';

/** A Map, since strangers choose the key: `constructor` must not be found. */
const subprotocols: ReadonlyMap<string, Format> = new Map([
  ['centrifuge-json', 'json'],
  ['centrifuge-protobuf', 'protobuf'],
]);

/** The code of a connection that ended without a close frame (RFC 6455 §7.1.5). */
const withoutFarewell = 1006;

/** How long the closing handshake may take before the socket is cut. */
const closeTimeoutMs = 5_000;

export interface WebSocketListenerOptions {
  readonly hub: HubContext;
  readonly gate: ConnectionGate;
  readonly options: WebSocketOptions;
}

/** Turns upgrade requests into sessions, or into answers that say what is wrong. */
export class WebSocketListener {
  readonly #hub: HubContext;
  readonly #gate: ConnectionGate;
  readonly #options: WebSocketOptions;
  readonly #server: WebSocketServer;
  readonly #frames: Readonly<Record<Format, FrameMemo>> = {
    json: new FrameMemo(codecFor('json')),
    protobuf: new FrameMemo(codecFor('protobuf')),
  };
  readonly #oneWayFrames: FrameMemo = new FrameMemo(codecFor('json'), false);

  constructor({ hub, gate, options }: WebSocketListenerOptions) {
    this.#hub = hub;
    this.#gate = gate;
    this.#options = options;
    this.#server = new WebSocketServer(serverOptions(options));
    // Tells who looks from outside that the connection works in spite of the proxy.
    this.#server.on('headers', (headers, request) => {
      const rescued = rescuedFrom(request);
      if (rescued !== undefined) headers.push(`X-Holdfast-Rescued: ${rescued.proxy}`);
    });
    // What `ws` finds wrong beyond our own checks: lists in headers that cannot be parsed.
    this.#server.on('wsClientError', ({ message }, socket) =>
      this.#refuse(socket, { status: 400, code: 'malformed_header', message }),
    );
  }

  /** Bidirectional connections, or with `isUnidirectional` or a dialect those that only listen. */
  handleUpgrade(
    request: IncomingMessage,
    { socket, head, room, isUnidirectional = room !== undefined }: Upgrade,
  ): void {
    const rescued = rescuedFrom(request);
    if (rescued !== undefined) this.#noteStripped(request, { stripped: rescued, isRescued: true });
    this.#gate.faults.inspect(request);
    const refusal = handshakeProblem(request, isUnidirectional) ?? this.#gate.refusalOf(request);
    if (refusal !== undefined) {
      this.#refuse(socket, refusal);
      return;
    }
    if (room !== undefined) {
      void this.#hold(request, { socket, head, room });
      return;
    }
    const passage = this.#hub.admission.door.enter();
    const upgrade = { socket, head, isUnidirectional, passage };
    if (passage.state === 'running') this.#accept(request, upgrade);
    else void this.#wait(request, upgrade);
  }

  /** Lets a newcomer wait at the door, where it costs least, while others are being connected. */
  async #wait(request: IncomingMessage, upgrade: Passing): Promise<void> {
    const { socket, passage } = upgrade;
    const ignored = (): void => undefined;
    const leave = (): void => passage.end();
    socket.on('error', ignored);
    socket.once('close', leave);
    await passage.turn();
    socket.off('close', leave);
    if (passage.state === 'refused') {
      this.#refuse(socket, this.#gate.overload(this.#hub.admission.door));
    } else if (passage.state === 'over' || socket.destroyed) {
      passage.end();
      socket.destroy();
    } else {
      socket.off('error', ignored);
      this.#accept(request, upgrade);
    }
  }

  #accept(request: IncomingMessage, { socket, head, isUnidirectional, passage }: Passing): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(webSocket, socket as Socket, { request, isUnidirectional, passage });
    });
  }

  /** Answers a plain request to a WebSocket path: most often a handshake that lost its headers. */
  answerRequest(request: IncomingMessage, response: ServerResponse): void {
    const stripped = strippedUpgrade(request);
    if (stripped === undefined) {
      this.#hub.metrics.refusedHandshakes.add('upgrade_required');
    } else {
      this.#hub.metrics.refusedHandshakes.add('upgrade_stripped');
      this.#noteStripped(request, { stripped, isRescued: false });
    }
    answerWithoutUpgrade(request, { response, stripped });
  }

  #noteStripped(
    request: IncomingMessage,
    { stripped, isRescued }: { readonly stripped: StrippedUpgrade; readonly isRescued: boolean },
  ): void {
    const { proxy, cause, missing, lines } = stripped;
    this.#hub.metrics.strippedHandshakes.add(isRescued ? 'rescued' : 'refused');
    const outcome = isRescued
      ? 'The connection was rescued and works, but mend the proxy'
      : 'The handshake was refused with 426: mend the proxy';
    this.#gate.faults.report(
      addressOf(request),
      isRescued ? 'upgrade_rescued' : 'upgrade_stripped',
      {
        software: proxy,
        missing,
        lines,
        message: `a WebSocket handshake came without ${missing.join(' and ')}: ${cause}. ${outcome}`,
      },
    );
  }

  refuseUnknownPath(socket: Duplex): void {
    this.#refuse(socket, {
      status: 404,
      code: 'not_found',
      message: 'there is no WebSocket endpoint at this path; the default is /connection/websocket',
    });
  }

  #refuse(socket: Duplex, refusal: HttpRefusal): void {
    this.#hub.metrics.refusedHandshakes.add(refusal.code);
    refuseOnSocket(socket, refusal);
  }

  #open(
    webSocket: WebSocket,
    socket: Socket,
    {
      request,
      isUnidirectional,
      passage,
    }: { request: IncomingMessage; isUnidirectional: boolean; passage: Handshake },
  ): void {
    const { query: text } = requestTarget(request.url);
    const query = text === '' ? undefined : new URLSearchParams(text);
    const format = isUnidirectional ? 'json' : formatOf(webSocket.protocol, query);
    const transport = new WebSocketTransport({
      webSocket,
      socket,
      request,
      format,
      isUnidirectional,
      timers: this.#hub.timers,
      frames: isUnidirectional ? this.#oneWayFrames : this.#frames[format],
      quietMs: query === undefined ? 0 : quietMsOf(query),
      pingsNatively: query?.get('cf_ws_frame_ping_pong') === 'true',
      limits: this.#options,
      clock: this.#hub.clock,
    });
    const session = this.#gate.enter(transport);
    session.passage = passage;
    this.#tie(webSocket, { transport, session });
    const connect = isUnidirectional ? query?.get('cf_connect') : undefined;
    if (typeof connect === 'string') connectOneWay(session, Buffer.from(connect));
  }

  #hold(
    request: IncomingMessage,
    { socket, head, room }: { socket: Duplex; head: Buffer; room: DialectRoom },
  ): Promise<void> {
    return connectFirst({
      hub: this.#hub,
      gate: this.#gate,
      room,
      request,
      name: 'uni_websocket',
      peer: socket,
      refuse: (refusal) => this.#refuse(socket, refusal),
      accept: (session, encoder) => {
        let transport: WebSocketTransport | undefined;
        this.#server.handleUpgrade(request, socket, head, (webSocket) => {
          transport = new WebSocketTransport({
            webSocket,
            socket: socket as Socket,
            request,
            format: 'json',
            isUnidirectional: true,
            encoder,
            timers: this.#hub.timers,
            frames: this.#oneWayFrames,
            quietMs: 0,
            pingsNatively: true,
            limits: this.#options,
            clock: this.#hub.clock,
          });
          this.#tie(webSocket, { transport, session });
        });
        return transport;
      },
    });
  }

  #tie(
    webSocket: WebSocket,
    { transport, session }: { readonly transport: WebSocketTransport; readonly session: Session },
  ): void {
    const { metrics, logger } = this.#hub;
    webSocket.on('error', (error: Error & { readonly code?: string }) => {
      // `ws` has already sent the close code that RFC 6455 asks for.
      metrics.websocketErrors.add(error.code ?? 'socket');
      logger.info({ client: session.id, cause: error.code }, `websocket error: ${error.message}`);
    });
    webSocket.on('close', (code) => {
      transport.release();
      this.#gate.leave(session, code === withoutFarewell);
    });
    transport.bind(session);
  }

  close(): void {
    this.#server.close();
  }
}

/** An upgrade with its place at the door. */
interface Passing {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly isUnidirectional: boolean;
  readonly passage: Handshake;
}

export interface Upgrade {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly isUnidirectional?: boolean;
  /** Speaks the dialect of this room. */
  readonly room?: DialectRoom;
}

function serverOptions(options: WebSocketOptions): ServerOptions {
  const { messageSizeLimit, maxFragments, compression, compressionMinSize } = options;
  const limits = { maxFragments, closeTimeout: closeTimeoutMs };
  return {
    ...limits,
    noServer: true,
    clientTracking: false,
    maxPayload: messageSizeLimit,
    // A client that offers several gets the first one that we know.
    handleProtocols: (offered) => [...offered].find((name) => subprotocols.has(name)) ?? false,
    perMessageDeflate: compression && {
      // Without takeover no compression state outlives a message: about 300 KB less a connection.
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      threshold: compressionMinSize,
      concurrencyLimit: 10,
    },
  };
}

/** What RFC 6455 §4.2.1 demands of the opening handshake. */
function handshakeProblem(
  { method, headers, httpVersion }: IncomingMessage,
  isUnidirectional: boolean,
): HttpRefusal | undefined {
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
  // node:http checks this for requests that it answers itself, and HTTP/1.0 has no such rule.
  if (headers.host === undefined && httpVersion !== '1.0') {
    return { status: 400, code: 'missing_host', message: 'the request has no Host header' };
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
  if (isUnidirectional || offered === undefined) return undefined;
  if (!offered.split(',').some((name) => subprotocols.has(name.trim()))) {
    return {
      status: 400,
      code: 'unknown_subprotocol',
      message: `none of the offered subprotocols is known; there are ${[...subprotocols.keys()].join(' and ')}`,
    };
  }
  return undefined;
}

function formatOf(subprotocol: string, query: URLSearchParams | undefined): Format {
  const chosen = subprotocols.get(subprotocol);
  if (chosen !== undefined) return chosen;
  const asked = query?.get('format') ?? query?.get('cf_protocol');
  return asked === 'protobuf' ? 'protobuf' : 'json';
}
