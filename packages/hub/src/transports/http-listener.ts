import type { IncomingMessage, ServerResponse } from 'node:http';
import { codecFor, type Format, ProtocolError } from '@holdfast/protocol';
import { UnknownNodeError } from '../cluster.ts';
import type { ConnectionGate } from '../connection-gate.ts';
import type { HubContext } from '../hub-context.ts';
import type { Session } from '../session.ts';
import type { HttpEndpointOptions, HttpTransportsOptions } from '../transport-options.ts';
import { connectFirst } from './connect-first.ts';
import { connectOneWay } from './connect-one-way.ts';
import { allowOrigin, preflight } from './cors.ts';
import type { DialectRoom } from './dialect.ts';
import { type HttpRefusal, refuse } from './http-refusal.ts';
import { HttpTransport, type HttpTransportOptions } from './http-transport.ts';
import type { LongPollEndpoint } from './long-poll-endpoint.ts';
import { readBody } from './request-body.ts';
import { requestTarget } from './request-target.ts';
import {
  frameEvents,
  frameResumableEvents,
  frameWholeEvents,
  isEventSource,
  refuseEventSource,
  resumeFrom,
} from './server-sent-events.ts';

export interface HttpListenerOptions {
  readonly hub: HubContext;
  readonly gate: ConnectionGate;
  readonly options: HttpTransportsOptions;
  readonly writeTimeoutMs: number;
  readonly longPolls: LongPollEndpoint;
  /** Brings commands to the session of another node; see {@link UnknownNodeError}. */
  readonly forward: (nodeId: string, sessionId: string, data: Uint8Array) => Promise<void>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly maxRequestBodySize: number;
}

type Serve = (exchange: Exchange) => Promise<void>;

interface Endpoint {
  /** Methods that it takes, as the `Allow` header has them. */
  readonly methods: string;
  readonly maxRequestBodySize: number;
  readonly serve: Serve;
}

type EndpointOptions = Omit<HttpEndpointOptions, 'maxRequestBodySize'> &
  Partial<HttpEndpointOptions>;

/** A response that is a connection. */
interface LongResponse extends Pick<HttpTransportOptions, 'format' | 'frame' | 'encoder'> {
  readonly name: 'http_stream' | 'sse' | 'uni_sse' | 'uni_http_stream';
  readonly contentType: string;
}

const eventStream = {
  name: 'uni_sse',
  format: 'json',
  contentType: 'text/event-stream',
} as const;

/** Long-lived responses must pass every proxy at once and be kept by none. */
const streamHeaders: Readonly<Record<string, string>> = {
  'X-Accel-Buffering': 'no',
  'Cache-Control': 'private, no-cache, no-store, no-transform, must-revalidate, max-age=0',
  Pragma: 'no-cache',
  Expires: '0',
};

const requestError: HttpRefusal = {
  status: 400,
  code: 'bad_request',
  message: 'the request could not be understood; see the protocol notes of the handbook',
};

/** Serves the connections that are plain HTTP responses, and the requests that talk to them. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #endpoints: Map<string, Endpoint>;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    const { httpStream, sse, polling, uniSse, uniHttpStream, init } = options.options;
    const emulation = { ...options.options.emulation, enabled: httpStream.enabled || sse.enabled };
    const table: readonly (readonly [EndpointOptions, string, Serve])[] = [
      [init, 'GET', (exchange) => this.#init(exchange)],
      [httpStream, 'POST', (exchange) => this.#httpStream(exchange)],
      [sse, 'GET, POST', (exchange) => this.#sse(exchange)],
      [polling, 'POST', (exchange) => this.#polling(exchange)],
      [emulation, 'POST', (exchange) => this.#emulation(exchange)],
      [uniSse, 'GET, POST', (exchange) => this.#uniSse(exchange)],
      [uniHttpStream, 'POST', (exchange) => this.#uniStream(exchange)],
    ];
    this.#endpoints = new Map(
      table
        .filter(([{ enabled }]) => enabled)
        .map(([{ handlerPrefix, maxRequestBodySize = 0 }, methods, serve]) => [
          handlerPrefix,
          { methods, maxRequestBodySize, serve },
        ]),
    );
  }

  /** Serves a dialect whose medium is an event stream. */
  speak(path: string, room: DialectRoom): void {
    this.#endpoints.set(path, {
      methods: 'GET',
      maxRequestBodySize: 0,
      serve: (exchange) => this.#dialect(exchange, room),
    });
  }

  /** Takes the request if it is for one of the transports; false leaves it untouched. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const endpoint = this.#endpoints.get(requestTarget(request.url).path);
    if (endpoint === undefined) return false;
    const { methods, maxRequestBodySize, serve } = endpoint;
    response.setHeader('Cache-Control', 'no-store');
    if (!allowOrigin(this.#options.gate, { request, response })) return true;
    if (request.method === 'OPTIONS') {
      preflight({ request, response, methods });
    } else if (!methods.split(', ').includes(request.method ?? '')) {
      refuse(response, {
        status: 405,
        code: 'method_not_allowed',
        message: `this endpoint takes ${methods}`,
        headers: { Allow: `${methods}, OPTIONS` },
      });
    } else {
      serve({ request, response, maxRequestBodySize }).catch((error: unknown) => {
        this.#options.hub.logger.error({ err: error }, 'a transport request failed unexpectedly');
        if (response.headersSent) response.destroy();
        else refuse(response, { status: 500, code: 'internal', message: 'internal server error' });
      });
    }
    return true;
  }

  /** Lets a browser pick up cookies and routing before it connects. */
  async #init({ response }: Exchange): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    response.end('{}');
  }

  async #httpStream(exchange: Exchange): Promise<void> {
    const { request } = exchange;
    const format = formatOf(request);
    const body = await this.#body(exchange);
    if (body === undefined) return;
    const session = this.#open(exchange, {
      name: 'http_stream',
      format,
      contentType: format === 'json' ? 'application/json' : 'application/octet-stream',
      frame: format === 'json' ? frameLines : (messages) => codecFor(format).joinMessages(messages),
    });
    session?.receive(body);
  }

  async #sse(exchange: Exchange): Promise<void> {
    const { response } = exchange;
    const body = await this.#queryOrBody(exchange);
    if (body === undefined) return;
    if (body.length === 0) {
      refuse(response, {
        ...requestError,
        message:
          'the connect command is missing: give it as cf_connect in the query or as the body',
      });
      return;
    }
    const session = this.#open(exchange, { ...eventStream, name: 'sse', frame: frameEvents });
    session?.receive(body);
  }

  async #polling(exchange: Exchange): Promise<void> {
    const body = await this.#body(exchange);
    if (body !== undefined) await this.#options.longPolls.serve(exchange, body);
  }

  async #uniSse(exchange: Exchange): Promise<void> {
    const { request } = exchange;
    const body = await this.#queryOrBody(exchange);
    if (body === undefined) return;
    const session = this.#open(exchange, { ...eventStream, frame: frameResumableEvents });
    if (session !== undefined) connectOneWay(session, resumeFrom(request, body));
  }

  async #uniStream(exchange: Exchange): Promise<void> {
    const body = await this.#body(exchange);
    if (body === undefined) return;
    const session = this.#open(exchange, {
      name: 'uni_http_stream',
      format: 'json',
      contentType: 'application/json',
      frame: frameLines,
    });
    if (session !== undefined) connectOneWay(session, body);
  }

  /** Commands for a session whose own connection runs the other way only. */
  async #emulation(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const { hub, forward } = this.#options;
    const format = formatOf(request);
    const body = await this.#body(exchange);
    if (body === undefined) return;
    try {
      const { node = '', session = '', data } = codecFor(format).decodeEmulation(body);
      if (node === '' || session === '' || data === undefined) {
        refuse(response, requestError);
        return;
      }
      if (node === hub.nodeId) hub.sessions.bySessionId(session)?.receive(data);
      else await forward(node, session, data);
      // Also when the session is gone: its stream has ended, which tells the client more.
      response.writeHead(204).end();
    } catch (error) {
      if (error instanceof ProtocolError) {
        refuse(response, requestError);
      } else if (error instanceof UnknownNodeError) {
        refuse(response, {
          status: 404,
          code: 'unknown_node',
          message: 'the node that had this connection is gone; connect again',
        });
      } else {
        throw error;
      }
    }
  }

  async #queryOrBody(exchange: Exchange): Promise<Buffer | undefined> {
    if (exchange.request.method === 'POST') return this.#body(exchange);
    const query = new URLSearchParams(requestTarget(exchange.request.url).query);
    return Buffer.from(query.get('cf_connect') ?? '');
  }

  async #body({ request, response, maxRequestBodySize }: Exchange): Promise<Buffer | undefined> {
    const body = await readBody(request, maxRequestBodySize);
    if (body === undefined || Buffer.isBuffer(body)) return body;
    refuse(response, { ...body, headers: { ...body.headers, Connection: 'close' } });
    return undefined;
  }

  async #dialect(exchange: Exchange, room: DialectRoom): Promise<void> {
    const { request, response } = exchange;
    const { hub, gate } = this.#options;
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      refuse(response, refusal);
      return;
    }
    await connectFirst({
      hub,
      gate,
      room,
      request,
      name: 'uni_sse',
      peer: response,
      refuse: (reason) => {
        hub.metrics.refusedHandshakes.add(reason.code);
        refuse(response, reason);
      },
      accept: (session, encoder) => {
        const transport = this.#begin(exchange, {
          ...eventStream,
          frame: frameWholeEvents,
          encoder,
        });
        this.#tie(response, { transport, session });
        return transport;
      },
    });
  }

  /** Opens a session with a long response; undefined when the gate refused it, which has been answered. */
  #open(exchange: Exchange, kind: LongResponse): Session | undefined {
    const { request, response } = exchange;
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      if (kind.name === 'uni_sse' && isEventSource(request)) refuseEventSource(response, refusal);
      else refuse(response, refusal);
      return undefined;
    }
    const transport = this.#begin(exchange, kind);
    const session = this.#options.gate.enter(transport);
    this.#tie(response, { transport, session });
    return session;
  }

  #refusalOf(request: IncomingMessage): HttpRefusal | undefined {
    const { hub, gate } = this.#options;
    gate.faults.inspect(request);
    const refusal = gate.refusalOf(request);
    if (refusal !== undefined) hub.metrics.refusedHandshakes.add(refusal.code);
    return refusal;
  }

  #begin({ request, response }: Exchange, kind: LongResponse): HttpTransport {
    const { hub, writeTimeoutMs } = this.#options;
    const { contentType, ...given } = kind;
    request.socket.setTimeout(0);
    request.socket.setNoDelay(true);
    response.writeHead(200, { ...streamHeaders, 'Content-Type': contentType });
    // Forces the head out through proxies that wait for a first byte.
    if (contentType === 'text/event-stream') response.write('\r\n');
    else response.flushHeaders();
    return new HttpTransport({
      ...given,
      isUnidirectional: kind.name.startsWith('uni_'),
      request,
      response,
      timers: hub.timers,
      monotonic: () => hub.clock.monotonic(),
      writeTimeoutMs,
    });
  }

  #tie(
    response: ServerResponse,
    { transport, session }: { readonly transport: HttpTransport; readonly session: Session },
  ): void {
    const { hub, gate } = this.#options;
    response.on('error', (error) => {
      hub.logger.info({ client: session.id, err: error }, 'a response could not be written');
    });
    response.once('close', () => {
      transport.release();
      gate.leave(session, true);
    });
    transport.bind(session);
  }
}

function formatOf({ headers }: IncomingMessage): Format {
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  return type.trim().toLowerCase() === 'application/octet-stream' ? 'protobuf' : 'json';
}

const lineBreak = Buffer.from('\n');

function frameLines(messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages.flatMap((message) => [message, lineBreak]));
}
