import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A real HTTP server on a loopback port, whose answer a test can change. */
export class JwksServer implements AsyncDisposable {
  /** @defaultValue an empty key set */
  answer: RequestListener = respondWith('{"keys":[]}');
  requestCount = 0;
  readonly #server = createServer((request, response) => {
    this.requestCount += 1;
    this.answer(request, response);
  });

  static async start(): Promise<JwksServer> {
    const server = new JwksServer();
    await server.listen(0);
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/jwks'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  /** Stops listening and cuts every connection. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export function respondWith(body: string, status = 200): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  };
}
