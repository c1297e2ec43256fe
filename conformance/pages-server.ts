import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Pages and scripts by path. */
export type PageFiles = Readonly<Record<string, { readonly type: string; readonly body: string }>>;

/** Answers with a file, if there is one. */
export function answerFile(files: PageFiles, path: string, response: ServerResponse): boolean {
  const file = files[path];
  if (file === undefined) return false;
  response.writeHead(200, { 'content-type': file.type }).end(file.body);
  return true;
}

/** A server on 127.0.0.1 whose network can be broken. */
export interface ListeningServer {
  readonly url: string;
  readonly port: number;
  /** Cuts every TCP connection, as a broken network would. */
  cutConnections(): void;
  /** Stops the server at once, as a crash would. Does nothing the second time. */
  kill(): Promise<void>;
}

/** @param port - 0: any free one */
export async function listen(server: Server, port = 0): Promise<ListeningServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const cutConnections = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    cutConnections,
    async kill() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      cutConnections();
      await closed;
    },
  };
}
