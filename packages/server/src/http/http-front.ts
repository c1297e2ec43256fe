import type { IncomingMessage, ServerResponse } from 'node:http';
import { LabelledCounter, refuse, type HttpRefusal, type Logger } from '@holdfast/hub';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { RequestLog } from './request-log.ts';

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;
type TransportListener = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * What every HTTP request meets first: it is followed in the log, and led to the application of its
 * port. Until {@link HttpFront.serve} is called, requests are answered with 503, so that a port can
 * be opened before what stands behind it exists.
 */
export class HttpFront {
  /** What came over sockets and was no request, by reason. */
  readonly badRequests: LabelledCounter = new LabelledCounter();
  readonly #log: RequestLog;
  readonly #applications = new Map<string, RequestListener>();
  #isDraining = false;

  constructor(logger: Logger) {
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
      this.#log.follow(request, response);
      if (this.#isDraining) response.setHeader('Connection', 'close');
      void listener(request, response);
    });
  }

  /** The handler for servers of one port. */
  handlerFor(port: string): RequestListener {
    return (request, response) => {
      const application = this.#applications.get(port);
      if (application) application(request, response);
      else refuse(response, startingUp);
    };
  }

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
