import type { Notification } from '@holdfast/protocol/inbox';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Dialect } from '@holdfast/hub';
import { describe, expect, test } from 'vitest';
import { legacySocket, legacyStream } from './dialect.ts';

const notification: Notification = {
  id: '0190',
  category: 'alert.price',
  severity: 'warning',
  title: 'up\n5 %',
  body: 'text',
  link: '/stocks/600519',
  source: 'watcher',
  data: { price: 5 },
  groupKey: null,
  groupCount: 1,
  createdAt: 1_500,
  expiresAt: null,
  readAt: null,
  archivedAt: null,
};

const shown = {
  id: '0190',
  type: 'alert',
  title: 'up\n5 %',
  content: 'text',
  link: '/stocks/600519',
  source: 'watcher',
  status: 'unread',
  created_at: '1970-01-01T00:00:01.500+00:00',
};

const options = {
  userOf: async (_request: unknown, token: string) => (token === 'good' ? 'ann' : undefined),
  channelOf: (user: string) => `inbox:${user}`,
  userConnectionLimit: 20,
  now: () => 61_000,
};

function created(id: string) {
  const event = { type: 'created', notification: { ...notification, id } };
  return { pub: { data: Buffer.from(JSON.stringify(event)) } };
}

function asked(url: string, headers = {}): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { url, headers });
}

const both: readonly (readonly [string, () => Dialect])[] = [
  ['socket', () => legacySocket(options)],
  ['stream', () => legacyStream(options)],
];

describe.each(both)('the %s', (_name, create) => {
  test('says an id once, and nothing of other changes', () => {
    const { encode } = create();
    const read = { pub: { data: Buffer.from('{"type":"read","ids":["0190"]}') } };
    const said = ['a', 'b', 'a', 'b', 'c'].map((id) => encode(created(id)) !== undefined);
    expect(said).toEqual([true, true, false, false, true]);
    expect([
      encode(read),
      encode({}),
      encode({ unsubscribe: { code: 2000, reason: 'x' } }),
    ]).toEqual(Array(3).fill(undefined));
  });

  test.each([
    ['?token=good', {}],
    ['?token=', { authorization: 'Bearer good' }],
    ['', { authorization: 'bearer good' }],
    ['?token=good', { authorization: 'Bearer bad' }],
  ])('knows a token in its address (%j) or header', async (query, headers) => {
    expect(await create().connect(asked(`/path${query}`, headers))).toEqual({
      user: 'ann',
      request: { name: 'tradingagents', token: 'good' },
      channels: ['inbox:ann'],
    });
  });

  test('refuses without one that is good', async () => {
    for (const query of ['', '?token=bad']) {
      expect(await create().connect(asked(`/path${query}`))).toMatchObject({ status: 401 });
    }
  });
});

test('what the socket says', () => {
  const { greeting, encode, heartbeat } = legacySocket(options);
  const timestamp = '1970-01-01T00:01:01.000+00:00';
  const said = [greeting('ann'), heartbeat(), encode(created('0190')) ?? ''];
  expect(said.map((text) => JSON.parse(text) as unknown)).toEqual([
    { type: 'connected', data: { user_id: 'ann', timestamp, message: 'connected' } },
    { type: 'heartbeat', data: { timestamp } },
    { type: 'notification', data: shown },
  ]);
});

test('what the stream says', () => {
  const { greeting, encode, heartbeat } = legacyStream(options);
  expect(greeting('ann')).toBe('event: connected\ndata: {"channel":"notifications:ann"}');
  expect(heartbeat()).toBe('event: heartbeat\ndata: {"ts":61}');
  expect(encode(created('0190'))).toBe(`event: notification\ndata: ${JSON.stringify(shown)}`);
  expect(encode({ disconnect: { code: 3001, reason: 'shutdown' } })).toBe(
    'event: error\ndata: {"error":"shutdown"}',
  );
});
