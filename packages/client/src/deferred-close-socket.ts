/** The subset of the WebSocket API that is used, so that any implementation can stand in. */
export interface WebSocketLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: never) => void): void;
  send(data: string): void;
  close(): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** How a socket ended, as the browser tells it. */
export interface SocketClose {
  readonly code: number;
  readonly reason: string;
  /** What the server asks to wait before the next attempt. */
  readonly retryAfterMs?: number;
}

const connecting = 0;
/** A handshake that nobody waits for any more may take this long before it is cut after all. */
const abandonedHandshakeMs = 10_000;

/** A WebSocket as the engine uses it. */
export interface EngineSocket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string): void;
  close(): void;
}

/**
 * A WebSocket class whose `close` waits until the socket is open. Closing one that is still
 * connecting makes browsers print "WebSocket is closed before the connection is established", and
 * React's StrictMode does exactly that to every page in development. The owner of the socket hears
 * nothing of it any more.
 */
export function deferCloseOf(
  base: WebSocketConstructor,
  onClosed: (close: SocketClose) => void,
): new (url: string) => EngineSocket {
  return class {
    readonly #socket: WebSocketLike;
    #isAbandoned = false;
    onopen: ((event: never) => void) | null = null;
    onmessage: ((event: never) => void) | null = null;
    onerror: ((event: never) => void) | null = null;
    onclose: ((event: never) => void) | null = null;

    constructor(url: string) {
      this.#socket = new base(url);
      this.#socket.addEventListener('open', (event) => {
        if (this.#isAbandoned) this.#socket.close();
        else this.onopen?.(event);
      });
      this.#socket.addEventListener('message', (event) => {
        if (!this.#isAbandoned) this.onmessage?.(event);
      });
      this.#socket.addEventListener('error', (event) => {
        if (!this.#isAbandoned) this.onerror?.(event);
      });
      this.#socket.addEventListener('close', (event) => {
        if (this.#isAbandoned) return;
        onClosed(event);
        this.onclose?.(event);
      });
    }

    get readyState(): number {
      return this.#socket.readyState;
    }

    send(data: string): void {
      this.#socket.send(data);
    }

    close(): void {
      this.#isAbandoned = true;
      if (this.#socket.readyState !== connecting) {
        this.#socket.close();
        return;
      }
      setTimeout(() => this.#socket.close(), abandonedHandshakeMs);
    }
  };
}
