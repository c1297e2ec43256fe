import { expect, test } from 'vitest';
import { parseLongPoll } from './long-poll-question.ts';

const parse = (body: unknown) =>
  parseLongPoll(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), 20_000);

const address = { node: 'n', session: 's' };

test.each([
  [{ data: 'c' }, { kind: 'open', data: 'c', waitMs: 20_000 }],
  [
    { data: 'c', wait: 5 },
    { kind: 'open', data: 'c', waitMs: 5 },
  ],
  [
    { ...address, ack: 0, wait: 90_000 },
    { ...address, kind: 'poll', ack: 0, waitMs: 20_000 },
  ],
  [
    { ...address, seq: 1, data: 'c' },
    { ...address, kind: 'send', sequence: 1, data: 'c' },
  ],
  [
    { ...address, close: true },
    { ...address, kind: 'close' },
  ],
])('%j', (body, question) => {
  expect(parse(body)).toEqual(question);
});

test.each([
  '',
  'null',
  '[]',
  '1',
  '{',
  {},
  { data: '' },
  { data: 1 },
  { data: 'c', wait: -1 },
  { data: 'c', wait: 'long' },
  { node: 'n', data: 'c' },
  { node: 1, session: 's', ack: 1 },
  { ...address },
  { ...address, ack: -1 },
  { ...address, ack: 0.5 },
  { ...address, ack: Number.MAX_SAFE_INTEGER + 1 },
  { ...address, seq: 1 },
  { ...address, seq: 1, data: '' },
  { ...address, close: false },
])('%j is none', (body) => {
  expect(parse(body)).toBeUndefined();
});
