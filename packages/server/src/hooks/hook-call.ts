import type { OutgoingHttpHeaders } from 'node:http';
import type { HttpResponse } from './http-exchange.ts';

/** One question to a backend. */
export interface HookCall {
  readonly headers: OutgoingHttpHeaders;
  /** JSON text. */
  readonly body: Buffer;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /**
   * Asking twice does no harm. Such a call is sent again, once and within its deadline, when it hit a
   * connection that the backend was just closing as idle.
   */
  readonly isRepeatable: boolean;
}

/** Why there is no answer; each has its own remedy. */
export interface HookCallFailure {
  readonly kind: 'failure';
  readonly outcome:
    | 'invalid_answer'
    | 'timeout'
    | 'network'
    | 'circuit_open'
    | 'queue_full'
    | 'canceled';
  /** What happened, as half a sentence. */
  readonly cause: string;
  /** What to do about it, in whole sentences. */
  readonly advice: string;
}

export type HookCallResult = HttpResponse | HookCallFailure;
