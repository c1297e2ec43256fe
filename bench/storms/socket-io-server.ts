import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen } from '../targets/listen.ts';
import type { StormServer } from './storm-server.ts';

/** Socket.IO as the public comparison has it: WebSocket only, no connection state recovery. */
export async function startSocketIo(): Promise<StormServer> {
  let port = 0;
  let io: Server;
  const comeUp = async (): Promise<void> => {
    const server = createServer();
    io = new Server(server, {
      transports: ['websocket'],
      serveClient: false,
      pingInterval: 3_000,
      pingTimeout: 6_000,
    });
    io.on('connection', (socket) => {
      socket.on('subscribe', (room: string, acknowledge: () => void) => {
        void socket.join(room);
        acknowledge();
      });
    });
    ({ port } = await listen(server, port));
  };
  await comeUp();
  return {
    get port() {
      return port;
    },
    async publish(text) {
      io.to('bench').emit('message', JSON.parse(text));
    },
    async goDown() {
      io.disconnectSockets(true);
      await io.close();
    },
    comeUp,
    stats: () => ({ brokerReads: 0, readers: 0, refused: 0 }),
  };
}
