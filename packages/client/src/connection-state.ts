import type { ConnectionStatus } from './connection-machine.ts';

/** Ways to the server, best first. */
export type TransportName = 'websocket' | 'http_stream' | 'sse' | 'polling';

/** Why a connection or an attempt ended. */
export interface Close {
  /** As on the wire: a WebSocket close code, or a code of the Centrifugo protocol. */
  readonly code: number;
  /** In words, for a person. */
  readonly reason: string;
  /** Wall clock, in milliseconds. */
  readonly at: number;
}

/**
 * Who holds the physical connection: this client itself, this page for all of the browser, or
 * another page or a worker.
 */
export type ConnectionHolder = 'self' | 'this_page' | 'elsewhere';

/** Everything there is to know about a connection. Never changed in place: a new one each time. */
export interface ConnectionState {
  readonly status: ConnectionStatus;
  /** Of the connection, or of the attempt under way. */
  readonly transport: TransportName | undefined;
  /** When `status` became what it is: wall clock, in milliseconds. */
  readonly since: number;
  /** Failed attempts since the last connection that lasted. */
  readonly attempts: number;
  readonly lastClose: Close | undefined;
  /** When the next attempt starts: wall clock, in milliseconds. */
  readonly nextRetryAt: number | undefined;
  /** Of the newest question that the server answered. */
  readonly roundTripMs: number | undefined;
  /** Signs of life that did not come in time, since the newest one that did. */
  readonly missedPings: number;
  readonly heldBy: ConnectionHolder;
}

/** The state of a client that has not been asked to connect. */
export function idleState(now: number): ConnectionState {
  return {
    status: 'idle',
    transport: undefined,
    since: now,
    attempts: 0,
    lastClose: undefined,
    nextRetryAt: undefined,
    roundTripMs: undefined,
    missedPings: 0,
    heldBy: 'self',
  };
}

const words: Readonly<Record<number, string>> = {
  0: 'this way to the server does not exist on this platform',
  1: 'the server did not answer in time, or the application refused a token',
  2: 'no ping from the server: the connection looked open and was dead',
  3: 'a message was larger than the server takes',
  5: 'the application could not get a token',
  11: 'the connection ended before the server answered',
  12: 'the application could not get the data to connect with',
  20: 'nothing came through a stream in time: a proxy collects what it should pass on',
  1000: 'closed normally',
  1001: 'the server or a proxy in front of it went away',
  1006: 'the connection could not be made or was cut without a word: network, proxy or server',
  1009: 'a message was larger than the server takes',
  1011: 'the server failed',
  3000: 'the server closed the connection',
  3001: 'the server is shutting down',
  3004: 'the server failed',
  3005: 'the connection expired',
  3006: 'a subscription expired',
  3008: 'the connection was too slow for what it was sent',
  3009: 'the server could not write to the connection',
  3010: 'the server noticed a gap in the stream',
  3011: 'the server asked to reconnect',
  3012: 'the server got no answer to its ping',
  3013: 'the server has too many requests',
  3014: 'the server invalidated what this connection was based on',
  3500: 'the token is not valid',
  3501: 'the server did not understand this client',
  3502: 'the client did not authenticate in time',
  3503: 'the server disconnected this client for good',
  3504: 'too many connections',
  3505: 'too many channels',
  3506: 'the protocol is not the one of this endpoint',
  3507: 'permission denied',
  3508: 'not available',
  3509: 'too many errors',
};

/** WebSocket's code for an end without a word. With a reason it is an answer to a poll. */
const lostCode = 1006;

/**
 * A close in words. Codes of our own engine below 1000 and WebSocket's tell nothing by their text;
 * for the server's codes its own reason is added when it says more.
 */
export function closeInWords(code: number, reason: string): string {
  if (code === lostCode && reason !== '') return `refused: ${reason}`;
  const known = words[code];
  if (known === undefined) return reason === '' ? `closed with code ${code}` : reason;
  const isPlain = code < 3000 || reason === '' || known.includes(reason);
  return isPlain ? known : `${known} (${reason})`;
}
