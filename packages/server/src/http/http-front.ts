import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  LabelledCounter,
  refuse,
  refuseOnSocket,
  type HttpRefusal,
  type Logger,
} from '@holdfast/hub';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { BadRequestReason } from './http-server.ts';
import { RequestLog } from './request-log.ts';

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;
type TransportListener = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Addresses that are told apart; more than these do not speak HTTP/2 by mistake. */
const maxToldPeers = 64;

/**
 * What every HTTP request meets first: it is followed in the log, and led to the application of its
 * port. Until {@link HttpFront.serve} is called, requests are answered with 503, so that a port can
 * be opened before what stands behind it exists.
 */
export class HttpFront {
  /** What came over sockets and was no request, by reason. */
  readonly badRequests: LabelledCounter = new LabelledCounter();
  readonly #logger: Logger;
  readonly #log: RequestLog;
  /** Proxies that were told about because they speak HTTP/2. */
  readonly #http2Peers = new Set<string>();
  readonly #applications = new Map<string, RequestListener>();
  #isDraining = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#log = new RequestLog(logger);
  }

  /**
   * Answers the requests of one port.
   * @param transports - takes requests of client connections; returns false for all others.
   */
  serve(port: string, application: Hono, transports: TransportListener): void {
    const listener = getRequestListener(application.fetch, { overrideGlobalObjects: false });
    this.#applications.set(port, (request, response) => {
      // What belongs to a client's connection lives as long as that, and is followed by the hub.
      if (transports(request, response)) return;
      // What may be kept says so itself; a proxy or CDN must not keep the rest, errors included.
      response.setHeader('Cache-Control', 'no-store');
      this.#log.follow(request, response);
      if (this.#isDraining) response.setHeader('Connection', 'close');
      void listener(request, response);
    });
  }

  /** Counts what was no request; a proxy that speaks another protocol is told of once. */
  noteBadRequest(reason: BadRequestReason, peer: string): void {
    this.badRequests.add(reason);
    if (reason !== 'http2' || this.#http2Peers.has(peer)) return;
    if (this.#http2Peers.size >= maxToldPeers) return;
    this.#http2Peers.add(peer);
    this.#logger.warn(
      { proxy: peer, kind: 'http2' },
      'a proxy speaks HTTP/2 to this server, which takes HTTP/1.1 alone: nothing it passes on is served. Let it speak HTTP/1.1 here (Envoy: no http2_protocol_options at the cluster; HAProxy: no proto h2 at the server; Caddy: no h2c:// and no versions h2c at the upstream; Traefik: http:// in place of h2c://)',
    );
  }

  /** The handler for servers of one port. */
  handlerFor(port: string): RequestListener {
    return (request, response) => {
      const application = this.#applications.get(port);
      if (application) application(request, response);
      else refuse(response, startingUp);
    };
  }

  /**
   * The same answer for a WebSocket handshake, as the listener of upgrades until somebody takes them:
   * without one node:http cuts the connection without a word.
   */
  readonly refuseUpgrade = (_request: IncomingMessage, socket: Duplex): void => {
    refuseOnSocket(socket, startingUp);
  };

  /** Ends keep-alive connections with their next answer, and waits for the requests under way. */
  drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    return this.#log.idle(timeoutMs);
  }
}

const startingUp: HttpRefusal = {
  status: 503,
  code: 'starting',
  message: 'the server is starting',
  headers: { 'Retry-After': '1' },
};
