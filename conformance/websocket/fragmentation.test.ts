import { afterAll, beforeAll, describe } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { fragmentsOf, frameOf, jsonEcho, jsonEchoOfSize } from './echo-message.ts';
import { closePayload, encodeFrame, opcodes } from './frame.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

/** The default of `websocket.maxFragments`. */
const maxFragments = 128;

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const continuation = (payload: string, fin: boolean): Buffer =>
  encodeFrame({ opcode: opcodes.continuation, payload, fin });
const start = encodeFrame({ opcode: opcodes.text, payload: '{"id":', fin: false });

/** The message in fragments that end at `cuts`, each in a TCP segment of its own and byte by byte. */
function whole(name: string, cuts: readonly number[]): readonly WireCase[] {
  const inSegments = jsonEcho('cut into fragments');
  const byByte = jsonEcho('cut into fragments');
  return [
    {
      name,
      rule: '5.4',
      send: fragmentsOf(inSegments, cuts),
      expect: { goesOn: { replies: [inSegments] } },
    },
    {
      name: `${name}, byte by byte`,
      rule: '5.4',
      send: fragmentsOf(byByte, cuts),
      stepBytes: 1,
      expect: { goesOn: { replies: [byByte] } },
    },
  ];
}

function evenly(size: number, count: number): WireCase {
  const message = jsonEchoOfSize(size);
  const cuts = Array.from({ length: count - 1 }, (_, index) =>
    Math.round(((index + 1) * size) / count),
  );
  return {
    name: `${size} bytes in ${count} fragments`,
    rule: '5.4',
    send: [Buffer.concat(fragmentsOf(message, cuts))],
    expect: { goesOn: { replies: [message] } },
  };
}

const accepted: readonly WireCase[] = [
  ...whole('two fragments', [20]),
  ...whole('three fragments', [1, 2]),
  ...whole('an empty first fragment', [0]),
  ...whole('an empty last fragment', [jsonEcho('cut into fragments').payload.length + 1]),
  ...whole('only empty fragments but one', [0, 0, 0, 60, 60, 60]),
  ...[2, 16, 100, maxFragments].map((count) => evenly(1_000, count)),
  ...[2, 16, 100, maxFragments].map((count) => evenly(65_536, count)),
  evenly(126, 126),
];

function twoMessages(): WireCase {
  const messages = [jsonEcho('the first of two'), jsonEcho('the second of two')];
  return {
    name: 'two fragmented messages, one after the other',
    rule: '5.4',
    send: messages.flatMap((message) => fragmentsOf(message, [5, 30])),
    expect: { goesOn: { replies: messages } },
  };
}

/** What may not continue, or may not begin. */
function outOfPlace(): readonly WireCase[] {
  const before = jsonEcho('whole');
  const fragmented = jsonEcho('in fragments');
  const loose: readonly (readonly [string, Buffer])[] = [
    ['a final continuation', continuation('rest', true)],
    ['an empty final continuation', continuation('', true)],
    ['a continuation that is not final', continuation('more', false)],
    ['an empty continuation that is not final', continuation('', false)],
  ];
  const beginnings: readonly (readonly [string, Buffer])[] = [
    ['a text frame', frameOf(jsonEcho('intruder'))],
    ['an empty text frame', encodeFrame({ opcode: opcodes.text })],
    ['a first text fragment', encodeFrame({ opcode: opcodes.text, payload: '{', fin: false })],
    ['a binary frame', encodeFrame({ opcode: opcodes.binary, payload: 'intruder' })],
    ['a first binary fragment', encodeFrame({ opcode: opcodes.binary, payload: '{', fin: false })],
  ];
  return [
    ...loose.flatMap(([name, bytes]): WireCase[] => [
      {
        name: `${name} with nothing to continue`,
        rule: '5.4',
        send: [bytes],
        expect: { fails: 1002 },
      },
      {
        name: `${name} after a whole message`,
        rule: '5.4',
        send: [frameOf(before), bytes],
        expect: { fails: 1002, mayReply: [before] },
      },
      {
        name: `${name} after a fragmented message has ended`,
        rule: '5.4',
        send: [...fragmentsOf(fragmented, [10]), bytes],
        expect: { fails: 1002, mayReply: [fragmented] },
      },
      {
        name: `${name}, then a whole message, byte by byte`,
        rule: '5.4',
        send: [bytes, frameOf(before)],
        stepBytes: 1,
        expect: { fails: 1002 },
      },
    ]),
    ...beginnings.flatMap(([name, bytes]): WireCase[] => [
      {
        name: `${name} inside a fragmented message`,
        rule: '5.4',
        send: [start, bytes],
        expect: { fails: 1002 },
      },
      {
        name: `${name} inside a fragmented message, after a continuation`,
        rule: '5.4',
        send: [start, continuation('7', false), bytes, continuation('}', true)],
        expect: { fails: 1002 },
      },
    ]),
  ];
}

/** RFC 6455 §10.4 lets a server limit; empty fragments cost memory as well. */
const tooMany: readonly WireCase[] = [
  ['of one byte', '7'],
  ['that are empty', ''],
].map(([name, payload = '']): WireCase => ({
  name: `${maxFragments + 1} fragments ${name}`,
  rule: '10.4',
  send: [
    start,
    Buffer.concat(Array.from({ length: maxFragments }, () => continuation(payload, false))),
  ],
  expect: { fails: 1008 },
}));

const closing: readonly WireCase[] = [
  {
    name: 'a close between the fragments of a message: the message is given up',
    rule: '5.5.1',
    send: [start, encodeFrame({ opcode: opcodes.close, payload: closePayload(1001) })],
    expect: { closes: 1001 },
  },
];

const cases = [...accepted, twoMessages(), ...outOfPlace(), ...tooMany, ...closing];

describe('fragmentation', () => {
  testWireCases(cases, () => hub);
});
