/**
 * What the inbox refuses, in one table.
 *
 * @module
 */

/** What is known about a code without looking at the error. */
export interface InboxErrorRow {
  readonly retryable: boolean;
  readonly httpStatus: number;
}

/** What is wrong with a request: a key of {@link inboxErrorCodes}. */
export type InboxErrorCode = 'inbox_invalid' | 'inbox_not_found' | 'inbox_idempotency_conflict';

/** Codes of {@link InboxError}. `docs/inbox.md` lists them; a test proves that both agree. */
export const inboxErrorCodes: Readonly<Record<InboxErrorCode, InboxErrorRow>> = {
  /** The request cannot be carried out as it is. The message names the field and the rule. */
  inbox_invalid: { retryable: false, httpStatus: 400 },
  /** There is no such thing, or it belongs to somebody else. */
  inbox_not_found: { retryable: false, httpStatus: 404 },
  /** The idempotency key was used before, for another request. */
  inbox_idempotency_conflict: { retryable: false, httpStatus: 409 },
};

/** Rejected by every operation of the inbox for the caller's mistakes; the store's own errors pass through. */
export class InboxError extends Error {
  override readonly name = 'InboxError';
  readonly code: InboxErrorCode;
  readonly retryable: boolean;
  readonly httpStatus: number;

  constructor(code: InboxErrorCode, message: string) {
    super(message);
    this.code = code;
    this.retryable = inboxErrorCodes[code].retryable;
    this.httpStatus = inboxErrorCodes[code].httpStatus;
  }
}
