import { describe, expect, test } from 'vitest';
import { cacheOf } from './check-http.ts';
import { judgeExtendedConnect } from './check-http2.ts';
import { judgeMessageSize } from './check-message-size.ts';
import { doctorTarget } from './doctor-target.ts';
import { judgeHandshake, printable } from './judge-handshake.ts';
import { judgeIdle, judgePings, judgeSilence } from './judge-lifetime.ts';
import { judgeNetworkError } from './judge-network.ts';
import { judgeCommand, judgeOpening, judgePatience } from './judge-polling.ts';
import { judgeRefusal } from './judge-refusal.ts';
import { judgeStream } from './judge-stream.ts';

describe('addresses', () => {
  test.each([
    ['https://rt.example', 'wss://rt.example/connection/websocket', 'https://rt.example/emulation'],
    ['rt.example', 'wss://rt.example/connection/websocket', 'https://rt.example/emulation'],
    ['http://x:81/rt/', 'ws://x:81/rt/connection/websocket', 'http://x:81/rt/emulation'],
    ['ws://x/rt/connection/websocket', 'ws://x/rt/connection/websocket', 'http://x/rt/emulation'],
    ['wss://x/live', 'wss://x/live', 'https://x/emulation'],
  ])('%s', (text, websocket, emulation) => {
    expect(doctorTarget(text)).toMatchObject({ websocket, emulation });
  });

  test.each(['', 'ftp://x', 'http://', 'https://a b'])('not %j', (text) => {
    expect(doctorTarget(text)).toBeUndefined();
  });
});

describe('answers to a handshake', () => {
  const answer = (status: number, headers: Record<string, string> = {}, body = '') =>
    judgeHandshake({ status, headers, body });

  test.each([
    [answer(200, { server: 'Caddy' }), 'No site of Caddy'],
    [answer(200, { 'content-type': 'text/html' }, '<html>'), 'a page'],
    [answer(308, { location: 'https://x/' }), 'redirected to https://x/'],
    [answer(400, {}, 'The plain HTTP request was sent to HTTPS port'), 'speaks TLS'],
    [answer(401), 'password'],
    [answer(403, { 'cf-mitigated': 'challenge' }), 'Cloudflare answers with a challenge'],
    [answer(418), 'answers with 418'],
    [answer(429), 'how often'],
    [answer(504), 'its own timeout'],
    [answer(522), 'origin'],
    [answer(403, {}, '{"error":{"code":"origin_not_allowed","message":"x"}}'), 'refused it'],
  ])('%o', (finding, cause) => {
    expect(finding).toMatchObject({ status: 'fail', cause: expect.stringContaining(cause) });
    expect(finding.mend).not.toBe('');
  });

  test('101 passes, and warns when the handshake was rescued', () => {
    expect(answer(101).status).toBe('pass');
    expect(answer(101, { 'x-holdfast-rescued': 'nginx' }).status).toBe('warn');
  });

  test('lines for a configuration are lines', () => {
    const body = JSON.stringify({
      error: { code: 'upgrade_stripped', message: 'x' },
      diagnosis: { cause: 'y', lines: ['# in the http block:', 'map a b;'] },
    });
    expect(answer(426, {}, body).mend?.split('\n').slice(1)).toEqual([
      '# in the http block:',
      'map a b;',
    ]);
  });

  test('what strangers send cannot steer a terminal', () => {
    expect(printable('a\u001B[2Jb\r\nc')).toBe('a?[2Jb??c');
    expect(printable('x'.repeat(10_000))).toHaveLength(600);
  });
});

test('an error of OpenSSL is told in its words, without places in its source', () => {
  const error = Object.assign(new Error('40:error:0A:SSL routines:f:wrong version:x.c:77:\n'), {
    code: 'ERR_SSL_WRONG_VERSION_NUMBER',
    reason: 'wrong version number',
  });
  expect(judgeNetworkError(error).evidence).toBe(
    'ERR_SSL_WRONG_VERSION_NUMBER: wrong version number',
  );
});

test.each([
  ['ENOTFOUND', 'no address'],
  ['ECONNREFUSED', 'Nothing listens'],
  ['CERT_HAS_EXPIRED', 'expired'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'another name'],
  ['EPROTO', 'does not speak TLS'],
])('%s is explained', (code, cause) => {
  const found = judgeNetworkError(Object.assign(new Error('x'), { code }));
  expect(found).toMatchObject({ status: 'fail', cause: expect.stringContaining(cause) });
});

describe('lifetimes', () => {
  const observation = { askedSeconds: 70, endedAfterSeconds: 60.2, pingIntervalSeconds: 90 };

  test('a connection that was cut after a well-known time', () => {
    expect(judgeIdle({ ...observation, closeCode: 1006 })).toMatchObject({
      status: 'fail',
      cause: expect.stringContaining('60 s (the default of nginx'),
      mend: expect.stringContaining('at most 30s'),
    });
  });

  test('one that was closed in order, and one that stayed', () => {
    expect(judgeIdle({ ...observation, closeCode: 3001 }).status).toBe('warn');
    expect(judgeIdle({ ...observation, endedAfterSeconds: undefined }).status).toBe('pass');
  });

  test.each([
    [1, 30, 25, 'pass'],
    [0, 30, 25, 'fail'],
    [0, 10, 25, 'skip'],
    [0, 10, 0, 'warn'],
  ])('%i pings in %i s, announced every %i s: %s', (...[seen, watched, interval, status]) => {
    const found = judgePings({ seen, watchedSeconds: watched, pingIntervalSeconds: interval });
    expect(found.status).toBe(status);
  });
});

describe('silence', () => {
  const judged = (pingIntervalSeconds: number, websocket?: number, sse?: number) =>
    judgeSilence({
      askedSeconds: 70,
      pingIntervalSeconds,
      connections: [
        { kind: 'WebSocket', endedAfterSeconds: websocket },
        { kind: 'SSE', endedAfterSeconds: sse },
      ],
    });

  test('that connections survive, or timeouts beyond two pings, are well', () => {
    expect(judged(25)).toEqual({
      status: 'pass',
      evidence: 'WebSocket: open after 70 s; SSE: open after 70 s',
    });
    expect(judged(25, 60)).toMatchObject({
      status: 'pass',
      evidence: 'WebSocket: ended after 60.0 s; SSE: open after 70 s',
    });
  });

  test.each([
    ['fail', 25, 5, 60, 'silent for 5 s, and the server pings every 25 s'],
    ['fail', 25, undefined, 15, "silent for 15 s (Envoy's default limit of a route)"],
    ['warn', 25, 30, 30, 'one ping that comes late'],
    ['fail', 0, 60, 60, 'pings never'],
  ])('%s: pings every %s s, ends after %s and %s s', (...[status, ping, ws, sse, cause]) => {
    expect(judged(ping, ws, sse)).toMatchObject({
      status,
      cause: expect.stringContaining(cause),
      mend: expect.stringContaining('proxy_read_timeout'),
    });
  });

  test('a server that cannot be quiet says nothing about timeouts', () => {
    const nothing = { askedSeconds: 70, pingIntervalSeconds: 25, connections: [] };
    expect(judgeSilence(nothing).status).toBe('skip');
  });
});

test.each([
  ['pass', { passedBytes: 65_000, failedBytes: 65_600, isRefused: true }],
  ['pass', { passedBytes: 1_048_576, failedBytes: undefined, isRefused: false }],
  ['warn', { passedBytes: 16_000, failedBytes: 17_000, isRefused: true }],
  ['warn', { passedBytes: 65_000, failedBytes: 65_600, isRefused: false }],
  ['fail', { passedBytes: 1_400, failedBytes: 1_500, isRefused: false }],
])('%s: limits of messages %o', (status, limit) => {
  expect(judgeMessageSize(limit).status).toBe(status);
});

test.each([
  [undefined, {}, 'asked'],
  [undefined, { age: '0', 'x-cache': 'MISS' }, 'asked'],
  ['Age: 7', { age: '7' }, 'asked'],
  ['cf-cache-status: HIT', { 'cf-cache-status': 'HIT' }, undefined],
  ['with the answer to an earlier question', {}, 'asked before'],
])('a cache shows: %s', (expected, headers, echoed) => {
  expect(cacheOf({ sent: 'asked', echoed, headers })).toBe(expected);
});

test.each([
  [200, 'pass'],
  [501, 'fail'],
  [undefined, 'fail'],
])('an extended CONNECT answered with %s: %s', (status, expected) => {
  expect(judgeExtendedConnect(status).status).toBe(expected);
});

describe('streams', () => {
  const answer = { status: 200, headers: {} };
  const good = {
    answer,
    headAfterMs: 5,
    firstMessageAfterMs: 9,
    isOpen: true,
    waitedMs: 3_000,
    command: { status: 204, isReplied: true },
  };

  test.each([
    ['pass', good],
    ['fail', { ...good, answer: undefined }],
    ['fail', { ...good, firstMessageAfterMs: undefined }],
    ['fail', { ...good, firstMessageAfterMs: undefined, isOpen: false }],
    ['fail', { ...good, command: { status: 405, isReplied: false } }],
    ['fail', { ...good, answer: { status: 502, headers: {} } }],
    ['warn', { ...good, answer: { status: 404, headers: {} } }],
    ['skip', { ...good, isOpen: false }],
  ])('%s: %o', (status, observation) => {
    expect(judgeStream(observation).status).toBe(status);
  });

  test('what is wrong behind a proxy is not blamed on its routes', () => {
    const page = { 'content-type': 'text/html' };
    const nothing = { ...good, firstMessageAfterMs: undefined, isOpen: false };
    const finding = judgeStream({ ...nothing, answer: { status: 200, headers: page } });
    expect(finding).toMatchObject({
      evidence: expect.stringContaining('text/html'),
      cause: expect.stringContaining('Something else answers'),
    });
    expect(judgeStream({ ...good, answer: { status: 502, headers: {} } }).cause).toContain(
      'cannot reach the server',
    );
  });
});

test.each([
  ['warn', 3501, false, 'anonymous clients may not connect'],
  ['fail', 3500, true, 'token was refused'],
  ['fail', 109, true, 'token was refused'],
  ['fail', 3504, true, 'does not want this client'],
  ['warn', 3507, false, 'does not want this client'],
])('%s: refused with %i, with a token: %s', (...[status, code, hasToken, cause]) => {
  expect(judgeRefusal({ code, message: 'x' }, hasToken)).toMatchObject({
    status,
    cause: expect.stringContaining(cause),
  });
});

describe('polling', () => {
  const welcome = { timeoutMs: 3_000, isLetIn: true };
  const answer = { status: 200, headers: {}, body: '', batch: {} };
  const full = '{"error":{"code":"handshake_queue","message":"try again"}}';

  test.each([
    [undefined, answer, welcome],
    ['skip', answer, { ...welcome, isLetIn: false }],
    ['fail', undefined, welcome],
    ['fail', { ...answer, batch: undefined }, welcome],
    ['fail', { ...answer, status: 403 }, welcome],
    ['warn', { ...answer, status: 404, body: '{"error":{"code":"x","message":"y"}}' }, welcome],
    ['fail', { ...answer, status: 503, body: full }, welcome],
  ])('%s: opened with %o', (status, opened, circumstances) => {
    expect(judgeOpening(opened, circumstances)?.status).toBe(status);
  });

  test('what the server itself says of a refusal is passed on', () => {
    expect(judgeOpening({ ...answer, status: 503, body: full }, welcome)).toMatchObject({
      cause: expect.stringContaining('handshake_queue'),
      mend: 'Try again',
    });
  });

  const good = {
    waitMs: 1_500,
    timeoutMs: 3_000,
    status: 204,
    takenAfterMs: 4,
    replyAfterMs: 5,
    isStale: false,
  };

  test.each([
    [/cache answered a POST/, { ...good, isStale: true }],
    [/refused while another/, { ...good, status: 503 }],
    [/waits until another/, { ...good, status: undefined, takenAfterMs: 3_000 }],
    [/waits until another/, { ...good, takenAfterMs: 1_450 }],
    [/held back/, { ...good, replyAfterMs: 1_500 }],
    [/held back/, { ...good, replyAfterMs: undefined }],
  ])('%o of %o', (cause, observation) => {
    expect(judgeCommand(observation)).toMatchObject({
      status: 'fail',
      cause: expect.stringMatching(cause),
    });
    expect(judgeCommand(good)).toBeUndefined();
  });

  test.each([
    ['pass', { endedAfterSeconds: 20, isAnswered: true }, good],
    ['warn', { endedAfterSeconds: 20, isAnswered: true }, { ...good, replyAfterMs: 1_100 }],
    ['warn', { endedAfterSeconds: 4.9, isAnswered: false }, good],
  ])('%s: a poll of 20 s that %o', (status, waited, command) => {
    expect(judgePatience({ askedSeconds: 20, ...waited }, command).status).toBe(status);
  });
});
