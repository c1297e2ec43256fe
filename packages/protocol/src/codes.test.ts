import { describe, expect, test } from 'vitest';
import {
  Disconnect,
  ReplyError,
  disconnectCodes,
  disconnects,
  errorCodes,
  reactionTo,
  reconnectsAfter,
  replyErrors,
  resubscribesAfter,
  unsubscribeCodes,
} from './index.ts';

type Row = readonly [code: number, text: string, reaction: string];

/** What the protocol says, with what a stock client does. */
const errors: readonly Row[] = [
  [100, 'internal server error', 'retry'],
  [101, 'unauthorized', 'terminal'],
  [102, 'unknown channel', 'terminal'],
  [103, 'permission denied', 'terminal'],
  [104, 'method not found', 'terminal'],
  [105, 'already subscribed', 'terminal'],
  [106, 'limit exceeded', 'terminal'],
  [107, 'bad request', 'terminal'],
  [108, 'not available', 'terminal'],
  [109, 'token expired', 'refresh-token'],
  [110, 'expired', 'terminal'],
  [111, 'too many requests', 'retry'],
  [112, 'unrecoverable position', 'terminal'],
  [113, 'concurrent pagination', 'retry'],
];

const unsubscribes: readonly Row[] = [
  [2000, 'server unsubscribe', 'stays unsubscribed'],
  [2500, 'insufficient state', 'resubscribes'],
  [2501, 'expired', 'resubscribes'],
  [2502, 'state invalidated', 'resubscribes'],
];

const closes: readonly Row[] = [
  [3000, 'connection closed', 'reconnects'],
  [3001, 'shutdown', 'reconnects'],
  [3004, 'internal server error', 'reconnects'],
  [3005, 'connection expired', 'reconnects'],
  [3006, 'subscription expired', 'reconnects'],
  [3008, 'slow', 'reconnects'],
  [3009, 'write error', 'reconnects'],
  [3010, 'insufficient state', 'reconnects'],
  [3011, 'force reconnect', 'reconnects'],
  [3012, 'no pong', 'reconnects'],
  [3013, 'too many requests', 'reconnects'],
  [3014, 'state invalidated', 'reconnects'],
  [3500, 'invalid token', 'stays disconnected'],
  [3501, 'bad request', 'stays disconnected'],
  [3502, 'stale', 'stays disconnected'],
  [3503, 'force disconnect', 'stays disconnected'],
  [3504, 'connection limit', 'stays disconnected'],
  [3505, 'channel limit', 'stays disconnected'],
  [3506, 'inappropriate protocol', 'stays disconnected'],
  [3507, 'permission denied', 'stays disconnected'],
  [3508, 'not available', 'stays disconnected'],
  [3509, 'too many errors', 'stays disconnected'],
];

describe('the code tables', () => {
  test('errors and what clients do on them', () => {
    expect(
      Object.values(errorCodes).map((row) => [row.code, row.message, reactionTo(row)]),
    ).toEqual(errors);
  });

  test('unsubscribes and what clients do on them', () => {
    expect(
      Object.values(unsubscribeCodes).map(({ code, reason }) => [
        code,
        reason,
        resubscribesAfter(code) ? 'resubscribes' : 'stays unsubscribed',
      ]),
    ).toEqual(unsubscribes);
  });

  test('disconnects and what clients do on them', () => {
    expect(
      Object.values(disconnectCodes).map(({ code, reason }) => [
        code,
        reason,
        reconnectsAfter(code) ? 'reconnects' : 'stays disconnected',
      ]),
    ).toEqual(closes);
  });

  test('no code stands twice', () => {
    for (const table of [errorCodes, unsubscribeCodes, disconnectCodes]) {
      const codes = Object.values(table).map((row) => row.code);
      expect(new Set(codes).size).toBe(codes.length);
    }
  });

  test('a reason fits into a WebSocket close frame', () => {
    for (const { reason } of Object.values(disconnectCodes)) {
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    }
  });
});

describe('reactions to codes of applications', () => {
  test.each([
    [1000, true],
    [1006, true],
    [1009, false],
    [2999, true],
    [3499, true],
    [3500, false],
    [3999, false],
    [4000, true],
    [4499, true],
    [4500, false],
    [4999, false],
    [5000, true],
  ])('a close with %i: the client comes back: %s', (code, comesBack) => {
    expect(reconnectsAfter(code)).toBe(comesBack);
  });

  test.each([
    [{ code: 1, temporary: false }, 'retry'],
    [{ code: 99 }, 'retry'],
    [{ code: 400 }, 'terminal'],
    [{ code: 400, temporary: true }, 'retry'],
    [{ code: 109, temporary: true }, 'refresh-token'],
    [{ code: 1999, temporary: false }, 'terminal'],
  ])('an error %j: %s', (error, reaction) => {
    expect(reactionTo(error)).toBe(reaction);
  });

  test.each([
    [0, false],
    [2000, false],
    [2499, false],
    [2500, true],
    [2999, true],
  ])('an unsubscribe push with %i: the client subscribes again: %s', (code, subscribesAgain) => {
    expect(resubscribesAfter(code)).toBe(subscribesAgain);
  });
});

test('every row has a prepared error or disconnect', () => {
  for (const [name, row] of Object.entries(errorCodes)) {
    const prepared = replyErrors[name as keyof typeof errorCodes];
    expect(prepared).toBeInstanceOf(ReplyError);
    expect({ ...row }).toEqual({
      code: prepared.code,
      message: prepared.message,
      temporary: prepared.temporary,
    });
  }
  for (const [name, row] of Object.entries(disconnectCodes)) {
    const prepared = disconnects[name as keyof typeof disconnectCodes];
    expect(prepared).toBeInstanceOf(Disconnect);
    expect(row).toEqual({ code: prepared.code, reason: prepared.reason });
    expect(prepared.message).toBe(`${row.code} ${row.reason}`);
  }
});
