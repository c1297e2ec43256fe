import type { BenchMessage } from '../targets/bench-message.ts';

/** What of a connection outlives it in a client: where it left off. */
export interface ClientMemory {
  epoch: string;
  offset: number;
}

/** What a frame tells a client. */
export interface Heard {
  readonly messages: readonly BenchMessage[];
  /** The client is where it was before: subscribed, with what it missed in `messages`. */
  readonly isBack?: boolean;
  /** Text to send back. */
  readonly reply?: string;
  /** The server does not let it in now. */
  readonly isRefused?: boolean;
  /** What was missed is gone, and the client was told. */
  readonly isUnrecovered?: boolean;
}

/** A client protocol, with what its stock client does when it is cut off. */
export interface StormDialect {
  readonly path: string;
  /** Made before the clock starts. */
  readonly token?: (client: number) => string;
  /** Sent after the handshake. */
  readonly opening?: (memory: ClientMemory, token: string) => string;
  hear(text: string, memory: ClientMemory): Heard;
  /** How long an attempt may take to open, and then to get in, before the client gives it up. */
  readonly attemptTimeoutMs: number;
  /** Wait before the next attempt; `attempt` counts from 0 since the client was last connected. */
  backoffMs(attempt: number): number;
}
