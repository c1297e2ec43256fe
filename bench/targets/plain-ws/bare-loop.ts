import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { listen } from '../listen.ts';
import { serverTextFrame } from '../server-frame.ts';
import type { RunningServer, ServerSettings } from '../target.ts';

export interface BareLoopOptions extends ServerSettings {
  /** Has to call `join` for a connection that gets what is published from then on. */
  readonly welcome: (webSocket: WebSocket, socket: Duplex, join: () => void) => void;
  /** The text that subscribers get for a message. */
  readonly textOf: (message: string) => string;
}

/**
 * The least that a Node server can do: `ws` for the handshake, then a bare loop that writes the
 * frames of a tick, built once, to each socket in one write.
 */
export async function startBareLoop({
  pingIntervalMs,
  welcome,
  textOf,
}: BareLoopOptions): Promise<RunningServer> {
  const subscribers = new Map<Duplex, WebSocket>();
  const endpoint = new WebSocketServer({ noServer: true, clientTracking: false });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    endpoint.handleUpgrade(request, socket, head, (webSocket) => {
      welcome(webSocket, socket, () => subscribers.set(socket, webSocket));
      webSocket.on('close', () => subscribers.delete(socket));
      // A reset connection is an error event first; close follows.
      webSocket.on('error', () => {});
    });
  });
  if (pingIntervalMs > 0) pingInTurns(subscribers, pingIntervalMs);
  return {
    ...(await listen(server)),
    publish(messages) {
      const frames = Buffer.concat(messages.map((message) => serverTextFrame(textOf(message))));
      for (const socket of subscribers.keys()) socket.write(frames);
    },
  };
}

const turnMs = 1_000;

/** Pings everyone once per interval, some at each turn, from one timer. */
function pingInTurns(subscribers: ReadonlyMap<Duplex, WebSocket>, intervalMs: number): void {
  const turns = Math.max(1, Math.round(intervalMs / turnMs));
  let turn = 0;
  setInterval(
    () => {
      let index = 0;
      for (const webSocket of subscribers.values()) {
        if (index % turns === turn) webSocket.ping();
        index += 1;
      }
      turn = (turn + 1) % turns;
    },
    Math.min(turnMs, intervalMs),
  ).unref();
}
