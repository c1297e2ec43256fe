/**
 * Why a call of the client failed, with whether the same call can succeed later. `docs/client.md` lists
 * them; a test proves that both agree.
 *
 * - `not_connected`: it was never sent, since there was no connection.
 * - `outcome_unknown`: it was sent, and the connection ended before the answer. It may have happened.
 * - `refused`: the server said no; `details.code` is its error code.
 * - `queue_full`: as many calls, or changes, wait as may.
 * - `timed_out`: it waited longer than it may.
 * - `closed`: the client, or the store, was closed.
 * - `invalid_data`: it does not match the contract; `details.issues` says where.
 * - `misused`: a call that cannot work, as two different sets of options for one channel.
 */
export const clientErrorCodes = {
  not_connected: { retryable: true },
  outcome_unknown: { retryable: true },
  refused: { retryable: false },
  queue_full: { retryable: true },
  timed_out: { retryable: true },
  closed: { retryable: false },
  invalid_data: { retryable: false },
  misused: { retryable: false },
} as const;
/** Why a call failed: a key of {@link clientErrorCodes}. */
export type ClientErrorCode = keyof typeof clientErrorCodes;

/** What a {@link ClientError} knows beyond its code. */
export interface ClientErrorDetails {
  /** The server's error code (Centrifugo's numbers). */
  readonly code?: number;
  /** Status of the server's answer over HTTP. */
  readonly status?: number;
  /** The server's code in words, of answers over HTTP. */
  readonly reason?: string;
  /** The server said that it may work later. */
  readonly temporary?: boolean;
  /** The server asked to be left alone for so long, with `Retry-After`. */
  readonly retryAfterMs?: number;
  readonly issues?: readonly string[];
}

/** The one error class of the client. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly details: ClientErrorDetails;
  readonly retryable: boolean;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
    this.retryable = details.temporary ?? clientErrorCodes[code].retryable;
  }
}
