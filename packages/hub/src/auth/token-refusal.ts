import { type Disconnect, type ReplyError, disconnects, replyErrors } from '@holdfast/protocol';

/** What a client gets for each kind of refusal. */
const answers = {
  /** A fresh token of the same issuer would not cure it: the client must not come back with it. */
  invalid: disconnects.invalidToken,
  /** Clients ask their application for a fresh token and try again. */
  expired: replyErrors.tokenExpired,
  /** Not the client's fault: it tries again later with the same token. */
  unavailable: replyErrors.internal,
} as const;

/** Why a token is refused, each with the kind of answer that its client gets. */
export const refusalReasons = {
  too_long: 'invalid',
  /** Not three canonical base64url parts that hold JSON objects. */
  malformed: 'invalid',
  /** `none`, an unknown algorithm, or one that no configured key is for. */
  algorithm: 'invalid',
  /** The header has `crit`: extensions that must be understood, and none is. */
  critical_header: 'invalid',
  /** The header has no `kid`, or one that the key set does not have. */
  unknown_key: 'invalid',
  signature: 'invalid',
  /** A claim has the wrong type or an impossible value. */
  claims: 'invalid',
  audience: 'invalid',
  issuer: 'invalid',
  /** A subscription token where a connection token belongs, or the other way round. */
  wrong_kind: 'invalid',
  expired: 'expired',
  not_yet_valid: 'expired',
  /** The key set could not be read, or may be older than the token's key. */
  keys_unavailable: 'unavailable',
} as const;

/** Why a token is refused: a key of {@link refusalReasons}. */
export type RefusalReason = keyof typeof refusalReasons;

/** A refused token. A value, never thrown; holds neither the token nor a secret. */
export class TokenRefusal {
  readonly reason: RefusalReason;
  /** What exactly was found, for logs and for `holdfast token check`. Never sent to clients. */
  readonly detail: string;

  constructor(reason: RefusalReason, detail: string) {
    this.reason = reason;
    this.detail = detail;
  }

  /** What the client is told. */
  get answer(): Disconnect | ReplyError {
    return answers[refusalReasons[this.reason]];
  }
}

const quotedChars = 80;

/** Text of a stranger, made safe for a log line: JSON-quoted and cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > quotedChars ? `${text.slice(0, quotedChars)}…` : text);
}
