import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createHub, type Hub, type HubOptions } from '@holdfast/hub';

export interface AppOptions {
  readonly hub?: HubOptions;
  /** Pages and scripts by path. */
  readonly files?: Readonly<Record<string, { readonly type: string; readonly body: string }>>;
  /** @defaultValue any free one */
  readonly port?: number;
}

/** A hub that serves a page too, and whose network can be broken. */
export interface RunningApp extends AsyncDisposable {
  readonly hub: Hub;
  readonly url: string;
  readonly port: number;
  /** Cuts every TCP connection, as a broken network would. */
  cutConnections(): void;
  /** Refuses WebSocket handshakes as a proxy does that does not know them, or takes them again. */
  blockWebSocket(isBlocked: boolean): void;
  /** Stops the server at once, as a crash would. */
  kill(): Promise<void>;
}

const recovering: HubOptions = {
  channel: {
    withoutNamespace: {
      historySize: 1_000,
      historyTtlMs: 60_000,
      forceRecovery: true,
      presence: true,
      joinLeave: true,
    },
  },
};

/** Starts a hub on 127.0.0.1, insecure and with recovery unless told otherwise. */
export async function startApp({
  hub: options,
  files = {},
  port = 0,
}: AppOptions = {}): Promise<RunningApp> {
  const hub = createHub({
    ...recovering,
    ...options,
    client: { insecure: true, allowedOrigins: ['*'], ...options?.client },
  });
  const server = createServer((request, response) => {
    if (hub.handleRequest(request, response)) return;
    const file = files[(request.url ?? '').split('?')[0] ?? ''];
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': file.type }).end(file.body);
  });
  const sockets = trackSockets(server);
  let isBlocked = false;
  const gate = createServer();
  hub.attach(gate);
  server.on('upgrade', (request, socket, head) => {
    if (!isBlocked) gate.emit('upgrade', request, socket, head);
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const cutConnections = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const kill = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    cutConnections();
    await closed;
  };
  return {
    hub,
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    cutConnections,
    blockWebSocket: (blocked) => {
      isBlocked = blocked;
    },
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      await hub.shutdown({ timeoutMs: 0 });
    },
  };
}

function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}
