import { describe, expect, test } from 'vitest';
import { doctorTarget } from './doctor-target.ts';
import { judgeHandshake, printable } from './judge-handshake.ts';
import { judgeIdle, judgePings } from './judge-lifetime.ts';
import { judgeNetworkError } from './judge-network.ts';
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

  test('what strangers send cannot steer a terminal', () => {
    expect(printable('a\u001B[2Jb\r\nc')).toBe('a?[2Jb??c');
    expect(printable('x'.repeat(10_000))).toHaveLength(600);
  });
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
      mend: expect.stringContaining('below 30s'),
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
    ['fail', { ...good, command: { status: 405, isReplied: false } }],
    ['fail', { ...good, answer: { status: 502, headers: {} } }],
    ['warn', { ...good, answer: { status: 404, headers: {} } }],
    ['skip', { ...good, isOpen: false }],
  ])('%s: %o', (status, observation) => {
    expect(judgeStream(observation).status).toBe(status);
  });
});
