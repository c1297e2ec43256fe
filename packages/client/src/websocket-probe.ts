import {
  deferCloseOf,
  type EngineSocket,
  type WebSocketConstructor,
} from './deferred-close-socket.ts';
import type { Environment } from './environment.ts';

const firstDelayMs = 60_000;
const maxDelayMs = 600_000;
/** A handshake that takes longer is no reason to leave a fallback that works. */
const handshakeTimeoutMs = 10_000;

/**
 * While a fallback carries the connection, tries from time to time whether WebSocket has become
 * possible, ever more rarely, one handshake at a time. Nothing is sent over the socket that opens.
 *
 * Streams are not tried from below: only a whole second connection, with its token, hooks and presence,
 * could tell whether one is passed on, and whoever mends a proxy for streams mends it for WebSocket.
 */
export class WebSocketProbe {
  readonly #webSocket: (new (url: string) => EngineSocket) | undefined;
  readonly #environment: Environment;
  #delayMs = firstDelayMs;
  #cancel: () => void = () => undefined;
  /** Plans the one that is waited for anew, if it is waited for longer than at first. */
  #hasten: () => void = () => undefined;

  constructor(webSocket: WebSocketConstructor | undefined, environment: Environment) {
    this.#webSocket =
      webSocket === undefined ? undefined : deferCloseOf(webSocket, () => undefined);
    this.#environment = environment;
  }

  /** Calls `onPossible` once a handshake succeeded. The time between two probes doubles each time. */
  start(url: string, onPossible: () => void): void {
    this.#end();
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(delayMs * 2, maxDelayMs);
    // Jittered, so that pages that fell back together do not probe together.
    const jittered = delayMs * (0.75 + this.#environment.random() / 2);
    this.#cancel = this.#environment.after(jittered, () => {
      this.#hasten = () => undefined;
      this.#handshake(url, onPossible);
    });
    if (delayMs > firstDelayMs) this.#hasten = () => this.start(url, onPossible);
  }

  /** The way to the server may be another one now, and what it let through before says little. */
  renew(): void {
    this.#delayMs = firstDelayMs;
    this.#hasten();
  }

  /** The best transport is in use, or nothing is. */
  stop(): void {
    this.#end();
    this.#delayMs = firstDelayMs;
  }

  #end(): void {
    this.#cancel();
    this.#hasten = () => undefined;
  }

  #handshake(url: string, onPossible: () => void): void {
    if (this.#webSocket === undefined) return;
    const socket = new this.#webSocket(url);
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
    Object.assign(socket, { onopen: () => end(onPossible), onclose: () => end(again) });
  }
}
