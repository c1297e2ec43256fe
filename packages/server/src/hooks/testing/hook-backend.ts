import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What a backend received. */
export interface ReceivedHook {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as it was sent. */
  readonly text: string;
  readonly body: Record<string, unknown>;
  readonly socket: Socket;
}

/** Answers with what it returns, as JSON; or writes the response itself and returns undefined. */
export type HookResponder = (hook: ReceivedHook, response: ServerResponse) => unknown;

/** A real HTTP backend on a free port of 127.0.0.1 that remembers what it was asked. */
export class HookBackend implements AsyncDisposable {
  readonly received: ReceivedHook[] = [];
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  respond: HookResponder;
  /** Connections since the start. */
  connectionCount = 0;
  /** Most connections that were open at the same time. */
  peakConnections = 0;

  private constructor(respond: HookResponder) {
    this.respond = respond;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const hook: ReceivedHook = {
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          text,
          body: JSON.parse(text) as Record<string, unknown>,
          socket: request.socket,
        };
        this.received.push(hook);
        const answer = this.respond(hook, response);
        if (answer !== undefined) response.end(JSON.stringify(answer));
      });
    });
    this.#server.on('connection', (socket) => {
      this.connectionCount += 1;
      this.#connections.add(socket);
      this.peakConnections = Math.max(this.peakConnections, this.#connections.size);
      socket.on('close', () => this.#connections.delete(socket));
    });
  }

  static async start(respond: HookResponder): Promise<HookBackend> {
    const backend = new HookBackend(respond);
    await backend.listen(0);
    return backend;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Stops listening and cuts every connection, as a crash does. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
