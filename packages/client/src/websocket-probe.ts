import type { WebSocketConstructor, WebSocketLike } from './deferred-close-socket.ts';
import type { Environment } from './environment.ts';

const firstDelayMs = 60_000;
const maxDelayMs = 600_000;
/** A handshake that takes longer is no reason to leave a fallback that works. */
const handshakeTimeoutMs = 10_000;

/**
 * While a fallback carries the connection, tries from time to time whether WebSocket has become
 * possible, ever more rarely, one handshake at a time. Nothing is sent over the socket that opens.
 */
export class WebSocketProbe {
  readonly #webSocket: WebSocketConstructor | undefined;
  readonly #environment: Environment;
  #delayMs = firstDelayMs;
  #cancel: () => void = () => undefined;

  constructor(webSocket: WebSocketConstructor | undefined, environment: Environment) {
    this.#webSocket = webSocket;
    this.#environment = environment;
  }

  /** Calls `onPossible` once a handshake succeeded. The time between two probes doubles each time. */
  start(url: string, onPossible: () => void): void {
    this.#cancel();
    // Jittered, so that pages that fell back together do not probe together.
    const delayMs = this.#delayMs * (0.75 + this.#environment.random() / 2);
    this.#delayMs = Math.min(this.#delayMs * 2, maxDelayMs);
    this.#cancel = this.#environment.after(delayMs, () => this.#handshake(url, onPossible));
  }

  /** The best transport is in use, or nothing is. */
  stop(): void {
    this.#cancel();
    this.#delayMs = firstDelayMs;
  }

  #handshake(url: string, onPossible: () => void): void {
    if (this.#webSocket === undefined) return;
    const socket: WebSocketLike = new this.#webSocket(url);
    let isOver = false;
    const end = (then: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancelTimeout();
      socket.close();
      then();
    };
    const again = (): void => this.start(url, onPossible);
    const cancelTimeout = this.#environment.after(handshakeTimeoutMs, () => end(again));
    this.#cancel = () => end(() => undefined);
    socket.addEventListener('open', () => end(onPossible));
    socket.addEventListener('close', () => end(again));
    // An implementation for Node throws what nobody listens to.
    socket.addEventListener('error', () => undefined);
  }
}
