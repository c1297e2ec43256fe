import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen } from '../listen.ts';
import type { StartServer } from '../target.ts';

/** Socket.IO with its defaults, except that only the WebSocket transport is offered. */
export const startSocketIo: StartServer = async ({ pingIntervalMs }) => {
  const server = createServer();
  const io = new Server(server, {
    transports: ['websocket'],
    serveClient: false,
    // Engine.IO cannot turn pings off; a day is off for a benchmark.
    pingInterval: pingIntervalMs > 0 ? pingIntervalMs : 86_400_000,
  });
  io.on('connection', (socket) => {
    socket.on('subscribe', (room: string, acknowledge: () => void) => {
      void socket.join(room);
      acknowledge();
    });
  });
  return {
    ...(await listen(server)),
    publish(messages) {
      for (const message of messages) io.to('bench').emit('message', JSON.parse(message));
    },
  };
};
