import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { HandshakeMessage, refuse, refuseOnSocket } from '@holdfast/hub';
import { refuseHttp2 } from './http2-refusal.ts';

/** Why bytes on a socket were no request; a label of the metrics. */
export type BadRequestReason = 'malformed' | 'headers_too_large' | 'timeout' | 'http2' | 'tunnel';

export interface HttpServerOptions {
  /** Certificate and key; absent for plain HTTP. */
  readonly tls?: TlsOptions | undefined;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Called for each, with the address of the peer. */
  readonly badRequest: (reason: BadRequestReason, peer: string) => void;
  /** Rescue WebSocket handshakes that a proxy stripped of their headers. @defaultValue true */
  readonly rescuesHandshakes?: boolean;
  /** @defaultValue {@link defaultHttpLimits} */
  readonly limits?: Partial<HttpLimits>;
}

/** What strangers may cost before they have said anything sensible. */
export interface HttpLimits {
  /** Milliseconds until all headers must have arrived. */
  readonly headersTimeout: number;
  /** Milliseconds until the body must have arrived too. */
  readonly requestTimeout: number;
  /** How often, in milliseconds, the two are checked. */
  readonly connectionsCheckingInterval: number;
  /** Bytes of all headers together. */
  readonly maxHeaderSize: number;
  /** Milliseconds that an idle connection stays; longer than proxies keep theirs. */
  readonly keepAliveTimeout: number;
}

/**
 * Node's own defaults give a sender of one header byte at a time ninety seconds, and of a body five
 * minutes.
 */
const defaultHttpLimits: HttpLimits = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
  keepAliveTimeout: 65_000,
};

const maxHeadersCount = 64;

/** An HTTP server that limits what reaches it, and answers what is no HTTP with a reason. */
export function createHttpServer(options: HttpServerOptions): Server {
  const { tls, handle, badRequest, rescuesHandshakes = true } = options;
  const serverOptions = {
    ...defaultHttpLimits,
    ...options.limits,
    noDelay: true,
    ...(rescuesHandshakes && { IncomingMessage: HandshakeMessage }),
    // Whatever else a client would like to upgrade to (curl offers h2c), its request is answered.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      headers.upgrade?.toLowerCase() === 'websocket',
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (countHosts(request) > 1) {
      badRequest('malformed', request.socket.remoteAddress ?? '');
      refuse(response, {
        status: 400,
        code: 'malformed',
        message: 'a request has one Host header (RFC 9112 §3.2)',
        headers: { Connection: 'close' },
      });
    } else {
      handle(request, response);
    }
  };
  const server = tls
    ? createTlsServer({ ...serverOptions, ...tls }, listener)
    : createServer(serverOptions, listener);
  server.maxHeadersCount = maxHeadersCount;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Nobody is left to be answered, or something was written already.
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const peer = socket instanceof Socket ? (socket.remoteAddress ?? '') : '';
    if (error.code === 'HPE_PAUSED_H2_UPGRADE') {
      badRequest('http2', peer);
      refuseHttp2(socket);
      return;
    }
    const [status, reason, message] = describe(error.code);
    badRequest(reason, peer);
    refuseOnSocket(socket, { status, code: reason, message });
  });
  // Without a listener node:http would end the connection without a word.
  server.on('connect', (_request, socket) => {
    badRequest('tunnel', socket instanceof Socket ? (socket.remoteAddress ?? '') : '');
    refuseOnSocket(socket, {
      status: 405,
      code: 'method_not_allowed',
      message:
        "this server is no proxy and opens no tunnels; a WebSocket handshake over HTTP/1.1 is a GET with 'Upgrade: websocket'",
      headers: { Allow: 'GET, POST, OPTIONS' },
    });
  });
  return server;
}

function describe(code: string | undefined): readonly [number, BadRequestReason, string] {
  switch (code ?? '') {
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'headers_too_large', 'the headers of the request are longer than 16 KiB'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'timeout', 'the request was not complete in time'];
    default:
      return [400, 'malformed', 'this is no valid HTTP/1.1 request'];
  }
}

/** Node keeps the first of several, and a proxy in front may have routed by another. */
function countHosts({ rawHeaders }: IncomingMessage): number {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host')
    .length;
}
