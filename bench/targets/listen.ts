import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Listening {
  readonly port: number;
  /** Connections that the process still has. */
  connections(): Promise<number>;
}

/**
 * Listens on a loopback port, a free one unless it is given, with the accept queue that a busy server is given, the same for
 * every target: with Node's default of 511 a connect storm measures dropped SYNs.
 */
export async function listen(server: Server, port = 0): Promise<Listening> {
  server.listen({ host: '127.0.0.1', port, backlog: 4096 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
  };
}
