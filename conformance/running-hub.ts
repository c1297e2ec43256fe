import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createHub, type Hub, type HubOptions } from '@holdfast/hub';
import { Centrifuge, type Options } from 'centrifuge';
import { WebSocket } from 'ws';

export interface RunningHub extends AsyncDisposable {
  readonly hub: Hub;
  readonly url: string;
  readonly port: number;
  /** Address of an HTTP path. */
  at(path: string): string;
  /** An unmodified `centrifuge` client that is disconnected when the hub is disposed. */
  client(options?: Partial<Options>): Centrifuge;
  /** How many HTTP requests have come, each with its whole body. */
  requestsRead(): number;
  /** Cuts every TCP connection, as a broken network would. */
  cutConnections(): void;
}

/** A hub on a free port of 127.0.0.1, ended with `await using`. Insecure unless told otherwise. */
export async function startHub(options: HubOptions = {}): Promise<RunningHub> {
  const hub = createHub({ ...options, client: { insecure: true, ...options.client } });
  let requestsRead = 0;
  const server = createServer((request, response) => {
    request.once('end', () => (requestsRead += 1));
    if (!hub.handleRequest(request, response)) response.writeHead(404).end();
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  hub.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/connection/websocket`;
  const clients: Centrifuge[] = [];
  return {
    hub,
    url,
    port,
    at: (path) => `http://127.0.0.1:${port}${path}`,
    client(clientOptions = {}) {
      const client = new Centrifuge(url, {
        websocket: WebSocket,
        // Its own patience is five seconds, which a busy machine may take to answer.
        timeout: 60_000,
        minReconnectDelay: 10,
        maxReconnectDelay: 50,
        ...clientOptions,
      });
      clients.push(client);
      return client;
    },
    requestsRead: () => requestsRead,
    cutConnections() {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect();
      await hub.shutdown({ timeoutMs: 1_000 });
      server.close();
      server.closeAllConnections();
    },
  };
}
