import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { resumeFrom } from './server-sent-events.ts';

function requestWith(id: unknown): IncomingMessage {
  return { headers: { 'last-event-id': id } } as unknown as IncomingMessage;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

test('positions of an event id become recovery', () => {
  const connect = Buffer.from('{"token":"t","subs":{"a":{}}}');
  const resumed = resumeFrom(requestWith(encode({ a: [3, 'x'], b: [1, 'y'] })), connect);
  expect(JSON.parse(resumed.toString())).toEqual({
    token: 't',
    subs: {
      a: { recover: true, offset: 3, epoch: 'x' },
      b: { recover: true, offset: 1, epoch: 'y' },
    },
  });
});

test.each([
  ['none', undefined],
  ['empty', ''],
  ['not ours', '42'],
  ['not JSON', Buffer.from('{').toString('base64url')],
  ['of the wrong shape', encode({ a: 3 })],
  ['with a negative offset', encode({ a: [-1, 'x'] })],
  ['far too long', 'A'.repeat(5_000)],
  ['twice', ['x', 'y']],
])('an event id that is %s changes nothing', (_, id) => {
  const connect = Buffer.from('{"token":"t"}');
  expect(resumeFrom(requestWith(id), connect)).toBe(connect);
});

test.each(['7', 'null', 'not JSON'])('a connect request %s is left to be refused', (text) => {
  const connect = Buffer.from(text);
  expect(resumeFrom(requestWith(encode({ a: [3, 'x'] })), connect)).toBe(connect);
});
