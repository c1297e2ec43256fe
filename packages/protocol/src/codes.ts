/**
 * The code tables of the client protocol, with what a stock client does on each code.
 * The numbers and their meaning are Centrifugo's, so that its SDKs react as designed.
 *
 * @module
 */
import type { ErrorReply } from './model.ts';

interface ErrorRow {
  readonly code: number;
  readonly message: string;
  readonly temporary: boolean;
}

/** Errors that a reply can carry. 400–1999 are free for applications. */
export const errorCodes = {
  internal: { code: 100, message: 'internal server error', temporary: true },
  unauthorized: { code: 101, message: 'unauthorized', temporary: false },
  unknownChannel: { code: 102, message: 'unknown channel', temporary: false },
  permissionDenied: { code: 103, message: 'permission denied', temporary: false },
  methodNotFound: { code: 104, message: 'method not found', temporary: false },
  alreadySubscribed: { code: 105, message: 'already subscribed', temporary: false },
  limitExceeded: { code: 106, message: 'limit exceeded', temporary: false },
  badRequest: { code: 107, message: 'bad request', temporary: false },
  notAvailable: { code: 108, message: 'not available', temporary: false },
  tokenExpired: { code: 109, message: 'token expired', temporary: false },
  expired: { code: 110, message: 'expired', temporary: false },
  tooManyRequests: { code: 111, message: 'too many requests', temporary: true },
  unrecoverablePosition: { code: 112, message: 'unrecoverable position', temporary: false },
  concurrentPagination: { code: 113, message: 'concurrent pagination', temporary: true },
} as const;
export type ErrorName = keyof typeof errorCodes;

interface CodeRow {
  readonly code: number;
  readonly reason: string;
}

/**
 * Why the server ended a subscription. Below 2500 the client stays unsubscribed; from 2500 it
 * subscribes again, with recovery.
 */
export const unsubscribeCodes = {
  server: { code: 2000, reason: 'server unsubscribe' },
  insufficientState: { code: 2500, reason: 'insufficient state' },
  expired: { code: 2501, reason: 'expired' },
  /** The client also forgets its subscription token, cached map state and delta base. */
  stateInvalidated: { code: 2502, reason: 'state invalidated' },
} as const;
export type UnsubscribeName = keyof typeof unsubscribeCodes;

/** Why the server closed a connection. Whether a client reconnects follows from the number's range. */
export const disconnectCodes = {
  connectionClosed: { code: 3000, reason: 'connection closed' },
  shutdown: { code: 3001, reason: 'shutdown' },
  serverError: { code: 3004, reason: 'internal server error' },
  expired: { code: 3005, reason: 'connection expired' },
  subscriptionExpired: { code: 3006, reason: 'subscription expired' },
  slow: { code: 3008, reason: 'slow' },
  writeError: { code: 3009, reason: 'write error' },
  insufficientState: { code: 3010, reason: 'insufficient state' },
  forceReconnect: { code: 3011, reason: 'force reconnect' },
  noPong: { code: 3012, reason: 'no pong' },
  tooManyRequests: { code: 3013, reason: 'too many requests' },
  stateInvalidated: { code: 3014, reason: 'state invalidated' },
  invalidToken: { code: 3500, reason: 'invalid token' },
  badRequest: { code: 3501, reason: 'bad request' },
  stale: { code: 3502, reason: 'stale' },
  forceNoReconnect: { code: 3503, reason: 'force disconnect' },
  connectionLimit: { code: 3504, reason: 'connection limit' },
  channelLimit: { code: 3505, reason: 'channel limit' },
  inappropriateProtocol: { code: 3506, reason: 'inappropriate protocol' },
  permissionDenied: { code: 3507, reason: 'permission denied' },
  notAvailable: { code: 3508, reason: 'not available' },
  tooManyErrors: { code: 3509, reason: 'too many errors' },
} as const;
export type DisconnectName = keyof typeof disconnectCodes;

/**
 * Whether a stock client reconnects after a close with this code: below 3500, 4000–4499 and from
 * 5000 it does; 3500–3999 and 4500–4999 are terminal. WebSocket close 1009 is terminal as well.
 */
export function reconnectsAfter(code: number): boolean {
  if (code === 1009) return false;
  return code < 3500 || (code >= 4000 && code < 4500) || code >= 5000;
}

/** What a stock client does when its connect or subscribe command is answered with an error. */
export type ErrorReaction =
  /** It tries again with backoff. */
  | 'retry'
  /** It asks the application for a fresh token, then tries again. */
  | 'refresh-token'
  /** The connection or subscription ends with this code. */
  | 'terminal';

/** The reaction to any error, of ours or of an application. Codes below 100 are the client's own. */
export function reactionTo(error: Pick<ErrorReply, 'code' | 'temporary'>): ErrorReaction {
  if (error.code === errorCodes.tokenExpired.code) return 'refresh-token';
  return error.temporary || error.code < 100 ? 'retry' : 'terminal';
}

/** Whether a stock client subscribes again after an unsubscribe push with this code. */
export function resubscribesAfter(code: number): boolean {
  return code >= 2500;
}

/**
 * An error that answers one command. Usable both as a value (the hub returns the prepared ones of
 * {@link replyErrors}) and thrown from an application's handler.
 */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly code: number;
  /** True when trying the same again later can help; clients then retry with backoff. */
  readonly temporary: boolean;

  constructor(code: number, message: string, temporary = false) {
    super(message);
    this.code = code;
    this.temporary = temporary;
  }
}

/** Ends the connection with a code whose range decides whether the client comes back. */
export class Disconnect extends Error {
  override readonly name = 'Disconnect';
  readonly code: number;
  /** At most 123 bytes of UTF-8, the room that a WebSocket close frame has. */
  readonly reason: string;

  constructor(code: number, reason: string) {
    super(`${code} ${reason}`);
    this.code = code;
    this.reason = reason;
  }
}

function prepare<Name extends string, Row, Value>(
  table: Record<Name, Row>,
  make: (row: Row) => Value,
): Readonly<Record<Name, Value>> {
  const prepared = {} as Record<Name, Value>;
  for (const name of Object.keys(table) as Name[]) prepared[name] = make(table[name]);
  return prepared;
}

/** One prepared {@link ReplyError} per row of {@link errorCodes}; shared, so never attach data to it. */
export const replyErrors: Readonly<Record<ErrorName, ReplyError>> = prepare(
  errorCodes as Record<ErrorName, ErrorRow>,
  (row) => new ReplyError(row.code, row.message, row.temporary),
);

/** One prepared {@link Disconnect} per row of {@link disconnectCodes}. */
export const disconnects: Readonly<Record<DisconnectName, Disconnect>> = prepare(
  disconnectCodes as Record<DisconnectName, CodeRow>,
  (row) => new Disconnect(row.code, row.reason),
);
