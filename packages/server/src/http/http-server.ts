import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { refuseOnSocket } from '@holdfast/hub';

/** Why bytes on a socket were no request; a label of the metrics. */
export type BadRequestReason = 'malformed' | 'headers_too_large' | 'timeout';

export interface HttpServerOptions {
  /** Certificate and key; absent for plain HTTP. */
  readonly tls?: TlsOptions | undefined;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  readonly badRequest: (reason: BadRequestReason) => void;
}

/**
 * What strangers may cost before they have said anything sensible. Node's own defaults give a sender
 * of one header byte at a time ninety seconds, and of a body five minutes.
 */
const limits = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
  /** Longer than proxies keep idle connections, so that it is they who close them. */
  keepAliveTimeout: 65_000,
  noDelay: true,
  /** Of everything else that a client would like to upgrade to, the request itself is answered. */
  shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
    headers.upgrade?.toLowerCase() === 'websocket',
};

const maxHeadersCount = 64;

/** An HTTP server that limits what reaches it, and answers what is no HTTP with a reason. */
export function createHttpServer({ tls, handle, badRequest }: HttpServerOptions): Server {
  const server = tls
    ? createTlsServer({ ...limits, ...tls }, handle)
    : createServer(limits, handle);
  server.maxHeadersCount = maxHeadersCount;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Nobody is left to be answered, or something was written already.
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [status, reason, message] = describe(error.code);
    badRequest(reason);
    refuseOnSocket(socket, { status, code: reason, message });
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
