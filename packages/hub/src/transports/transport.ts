import type { Disconnect } from '@holdfast/protocol';
import type { TransportInfo } from '../events.ts';
import type { MessageEncoder } from '../message-encoder.ts';

/** What a session needs of a connection. One small adapter per kind of connection implements it. */
export interface Transport {
  readonly info: TransportInfo;
  readonly encoder: MessageEncoder;
  /** Bytes handed over that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /**
   * How long, in milliseconds from the connect reply on, the server sends no pings; 0 for the usual ones.
   * For who looks from outside which timeouts there are on the way: {@link quietMsOf}.
   */
  readonly quietMs: number;
  /** How long no byte of this connection has passed, in either direction. Exact to a tick. */
  readonly silentMs: number;
  /**
   * Whether the transport keeps the connection alive with native pings; the session then calls
   * {@link ping} at each interval and sends no pings of its own.
   */
  readonly pingsNatively: boolean;
  /** Emulated and unidirectional transports: the peer is addressed by session id. */
  readonly needsSessionId: boolean;
  /** Channels that the connection is for: it is subscribed to them from the start. */
  readonly ownChannels?: readonly string[];
  /**
   * How long a refused connect waits for its answer, in milliseconds. Older SDKs connect again at
   * once when an emulated connection is refused; this makes their loop a slow one.
   */
  readonly refusalDelayMs: number;
  /**
   * Hands messages over, to leave in one write. The array must not be kept.
   * @returns false when the peer reads too slowly: the session then waits for `drained`.
   */
  write(messages: readonly Uint8Array[]): boolean;
  /** A native ping. */
  ping(): void;
  /** Stops or resumes taking input, so that a busy session does not pile up commands. */
  setReading(isReading: boolean): void;
  /** Sends what was written, tells the peer why, and ends the connection. Idempotent. */
  close(disconnect: Disconnect): void;
  /** Ends the connection without waiting for the peer. Idempotent. */
  terminate(): void;
}

/** What a transport tells its session. */
export interface TransportEvents {
  /** A complete frame of commands. */
  receive(frame: Uint8Array): void;
  /** An answer to a native ping. */
  ponged(): void;
  drained(): void;
  /** The connection is gone. Called once, last. */
  closed(): void;
}
