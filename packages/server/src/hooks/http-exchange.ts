import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as httpRequest,
} from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface HttpExchangeOptions {
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array;
  /** `false` makes a connection of its own. */
  readonly agent: Agent | false;
  readonly maxResponseBytes: number;
}

export interface HttpResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Where a redirect points; never followed. */
  readonly location: string;
  readonly body: Buffer;
}

export type ExchangeResult =
  | HttpResponse
  | { readonly kind: 'too_long' }
  | {
      readonly kind: 'broken';
      readonly error: Error;
      /**
       * The connection had been used before and ended without a byte of an answer: most likely the
       * server had just closed it as idle, and never saw the request.
       */
      readonly wasStale: boolean;
    };

/**
 * Sends one POST and collects the answer, at most `maxResponseBytes` of it. No redirects, no
 * decompression, no deadline: that is the caller's, who destroys the exchange when it is over.
 * `done` is called at most once, and not after {@link HttpExchange.destroy}.
 */
export class HttpExchange {
  readonly #done: (result: ExchangeResult) => void;
  readonly #request: ClientRequest;
  #isOver = false;

  constructor(options: HttpExchangeOptions, done: (result: ExchangeResult) => void) {
    this.#done = done;
    const { url, agent, headers, body } = options;
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    this.#request = send(url, {
      method: 'POST',
      agent,
      headers: { ...headers, 'content-length': body.byteLength },
      // Credentials of the URL are among the headers already, below forwarded ones.
      auth: null,
    });
    this.#listen(options.maxResponseBytes);
    this.#request.end(body);
  }

  /** Ends the exchange without a result. */
  destroy(): void {
    this.#isOver = true;
    this.#request.destroy();
  }

  #listen(maxResponseBytes: number): void {
    const request = this.#request;
    let error: Error | undefined;
    let hasAnswer = false;
    const remember = (cause: Error): void => {
      error ??= cause;
    };
    request.on('error', remember);
    request.on('response', (response) => {
      hasAnswer = true;
      const chunks: Buffer[] = [];
      const declaredLength = Number(response.headers['content-length'] ?? 0);
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (Math.max(length, declaredLength) > maxResponseBytes) this.#end({ kind: 'too_long' });
        else chunks.push(chunk);
      });
      response.on('error', remember);
      response.on('end', () => {
        if (response.complete) this.#end(responseOf(response, Buffer.concat(chunks)));
      });
    });
    // A status 101 although no upgrade was asked for; the connection is of no further use.
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      this.#end(responseOf(response, Buffer.alloc(0)));
    });
    request.on('close', () => {
      const cause = error ?? new Error('the connection was closed before the answer was complete');
      this.#end({ kind: 'broken', error: cause, wasStale: request.reusedSocket && !hasAnswer });
    });
  }

  #end(result: ExchangeResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (result.kind === 'too_long') this.#request.destroy();
    this.#done(result);
  }
}

function responseOf(response: IncomingMessage, body: Buffer): ExchangeResult {
  return {
    kind: 'response',
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'] ?? '',
    contentEncoding: response.headers['content-encoding'] ?? '',
    location: response.headers.location ?? '',
    body,
  };
}
