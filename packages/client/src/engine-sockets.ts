import {
  deferCloseOf,
  type EngineSocket,
  type SocketClose,
  type WebSocketConstructor,
} from './deferred-close-socket.ts';
import { PollingSocket, type PollingSocketOptions } from './polling-socket.ts';

export interface EngineSocketsOptions extends PollingSocketOptions {
  /** Absent where the platform has none. */
  readonly webSocket: WebSocketConstructor | undefined;
  readonly onClosed: (close: SocketClose) => void;
}

/**
 * What the engine takes for the platform's WebSocket class. It has no place for a transport of ours;
 * an `http` address in its stead gets a socket made of polls.
 */
export function engineSockets(options: EngineSocketsOptions): new (url: string) => EngineSocket {
  const { webSocket, onClosed } = options;
  const Deferred = webSocket === undefined ? undefined : deferCloseOf(webSocket, onClosed);
  function Socket(url: string): EngineSocket {
    if (/^https?:/.test(url)) return new PollingSocket(url, options);
    if (Deferred === undefined) throw new Error('there is no WebSocket on this platform');
    return new Deferred(url);
  }
  return Socket as unknown as new (url: string) => EngineSocket;
}
