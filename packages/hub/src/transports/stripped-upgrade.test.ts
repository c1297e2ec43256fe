import { describe, expect, test } from 'vitest';
import { edgeOf, strippedUpgrade } from './stripped-upgrade.ts';

const handshake = {
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};
const whole = { ...handshake, upgrade: 'websocket', connection: 'Upgrade' };

describe('fingerprints of proxies that strip handshakes', () => {
  test.each([
    { from: 'nginx, bare proxy_pass', version: '1.0', headers: { connection: 'close' } },
    { from: 'nginx, HTTP/1.1 alone', headers: { connection: 'close' } },
    { from: 'nginx, Upgrade alone', headers: { upgrade: 'websocket', connection: 'close' } },
    { from: 'nginx, connections kept open', headers: {}, isRescuable: false },
    {
      from: 'nginx, HTTP/1.0 kept open',
      version: '1.0',
      headers: { connection: 'keep-alive' },
      isRescuable: false,
    },
    {
      from: 'Apache without upgrade=websocket',
      headers: { connection: 'Keep-Alive', 'x-forwarded-server': 'x' },
      proxy: 'apache',
      isRescuable: false,
    },
    {
      from: 'Apache that would wait for an answer after 101',
      headers: { connection: 'close', 'x-forwarded-server': 'x' },
      proxy: 'apache',
      isRescuable: false,
    },
    {
      from: 'something else',
      headers: { connection: 'keep-alive' },
      proxy: 'unknown',
      isRescuable: false,
    },
    {
      from: 'something else that passes Upgrade',
      headers: { upgrade: 'websocket' },
      proxy: 'unknown',
      isRescuable: false,
    },
    {
      from: 'a body behind it',
      version: '1.0',
      headers: { 'content-length': '5' },
      isRescuable: false,
    },
    {
      from: 'chunks behind it',
      version: '1.0',
      headers: { 'transfer-encoding': 'chunked' },
      isRescuable: false,
    },
    { from: 'an empty body', version: '1.0', headers: { 'content-length': '0' } },
  ])('$from', ({ version = '1.1', headers, proxy = 'nginx', isRescuable = true }) => {
    const found = strippedUpgrade({
      method: 'GET',
      httpVersion: version,
      headers: { ...handshake, ...headers },
    });
    expect(found).toMatchObject({ proxy, isRescuable });
    expect(found?.missing).toContain('Connection');
    expect(found?.missing.includes('Upgrade')).toBe(!('upgrade' in headers));
    expect(found?.lines.length === 0).toBe(proxy === 'unknown');
  });

  test.each([
    ['a whole handshake', { method: 'GET', httpVersion: '1.1', headers: whole }],
    ['a whole handshake over HTTP/1.0', { method: 'GET', httpVersion: '1.0', headers: whole }],
    [
      'Connection as Firefox sends it',
      {
        method: 'GET',
        httpVersion: '1.1',
        headers: { ...whole, connection: 'keep-alive, Upgrade' },
      },
    ],
    ['a request of a browser', { method: 'GET', httpVersion: '1.0', headers: {} }],
    ['another method', { method: 'POST', httpVersion: '1.0', headers: handshake }],
    [
      'another protocol',
      { method: 'GET', httpVersion: '1.0', headers: { ...handshake, upgrade: 'h2c' } },
    ],
  ])('not %s', (_what, head) => {
    expect(strippedUpgrade(head)).toBeUndefined();
  });
});

test.each([
  [{ 'cf-ray': '1' }, 'Cloudflare'],
  [{ 'x-amz-cf-id': '1', 'x-amzn-trace-id': '1' }, 'Amazon CloudFront'],
  [{ 'x-amzn-trace-id': '1' }, 'an AWS load balancer'],
  [{ via: '1.1 google' }, 'a Google Cloud load balancer'],
  [{ 'fly-request-id': '1' }, 'Fly.io'],
  [{ via: '1.1 caddy' }, undefined],
])('%o comes through %s', (headers, edge) => {
  expect(edgeOf(headers)).toBe(edge);
});
