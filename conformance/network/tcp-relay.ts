import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A TCP relay on 127.0.0.1 whose network can fail: `open` passes everything on, `silent` keeps
 * every connection and passes nothing, no end either, and `down` cuts and refuses them.
 */
export class TcpRelay implements AsyncDisposable {
  readonly #server: Server;
  /** Port of the server on 127.0.0.1 that new connections go to; those of before stay. */
  target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #mode: 'open' | 'silent' | 'down' = 'open';

  /** @param port - of the server on 127.0.0.1 */
  static async start(port: number): Promise<TcpRelay> {
    const server = createServer({ allowHalfOpen: true });
    const relay = new TcpRelay(server, port);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.target = port;
    server.on('connection', (socket) => this.#accept(socket));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set mode(mode: 'open' | 'silent' | 'down') {
    this.#mode = mode;
    for (const pair of this.#pairs) {
      if (mode === 'down') for (const socket of pair) socket.destroy();
      // As on a real path: what was lost in between ended the connections of before.
      else if (mode === 'silent') for (const socket of pair) socket.pause();
      else for (const socket of pair) socket.destroy();
    }
  }

  #accept(client: Socket): void {
    if (this.#mode === 'down') {
      client.destroy();
      return;
    }
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [server, client] as const]) {
      if (this.#mode === 'silent') from.pause();
      from.on('data', (chunk) => to.write(chunk));
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#pairs.delete(pair);
        if (this.#mode === 'open') to.destroy();
      });
    }
    if (this.#mode === 'silent') for (const socket of pair) socket.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.mode = 'down';
    this.#server.close();
    await once(this.#server, 'close');
  }
}
