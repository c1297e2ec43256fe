import { afterAll, beforeAll, describe } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { frameOf, jsonEcho } from './echo-message.ts';
import { closePayload, encodeFrame, opcodes, type FrameSettings } from './frame.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const opening = encodeFrame({ opcode: opcodes.text, fin: false, payload: '{"id":' });
const rest = encodeFrame({ opcode: opcodes.continuation, payload: '9}' });

/** Without an extension that gives them meaning, every combination of reserved bits is an error. */
const bitSets = [1, 2, 3, 4, 5, 6, 7];

function bits(rsv: number): string {
  return `reserved bits ${rsv.toString(2).padStart(3, '0')}`;
}

const frames: readonly (readonly [string, FrameSettings])[] = [
  ['a text frame', { opcode: opcodes.text, payload: '{}' }],
  ['an empty text frame', { opcode: opcodes.text }],
  ['a binary frame', { opcode: opcodes.binary, payload: '{}' }],
  ['the first fragment', { opcode: opcodes.text, fin: false, payload: '{' }],
  ['a ping', { opcode: opcodes.ping, payload: 'ping' }],
  ['a pong', { opcode: opcodes.pong }],
  ['a close', { opcode: opcodes.close, payload: closePayload(1000) }],
];

const refusedFrames = bitSets.flatMap((rsv) =>
  frames.map(([name, settings]): WireCase => ({
    name: `${bits(rsv)} on ${name}`,
    rule: '5.2',
    send: [encodeFrame({ ...settings, rsv })],
    expect: { fails: 1002 },
  })),
);

const refusedLater = bitSets.flatMap((rsv): WireCase[] => {
  const before = jsonEcho('before');
  return [
    {
      name: `${bits(rsv)} on a continuation`,
      rule: '5.2',
      send: [opening, encodeFrame({ opcode: opcodes.continuation, payload: '9}', rsv })],
      expect: { fails: 1002 },
    },
    {
      name: `${bits(rsv)} between good frames, byte by byte`,
      rule: '5.2',
      send: [
        frameOf(before),
        encodeFrame({ opcode: opcodes.text, payload: '{}', rsv }),
        encodeFrame({ opcode: opcodes.ping, payload: 'too late' }),
      ],
      stepBytes: 1,
      expect: { fails: 1002, mayReply: [before] },
    },
  ];
});

/** 3–7 are reserved for data frames, 11–15 for control frames. */
const reservedOpcodes = [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf];

const opcodeCases = reservedOpcodes.flatMap((opcode): WireCase[] => {
  const name = `reserved opcode 0x${opcode.toString(16)}`;
  const before = jsonEcho('before');
  return [
    {
      name: `${name}, empty`,
      rule: '5.2',
      send: [encodeFrame({ opcode })],
      expect: { fails: 1002 },
    },
    {
      name: `${name} with payload`,
      rule: '5.2',
      send: [encodeFrame({ opcode, payload: 'payload' })],
      expect: { fails: 1002 },
    },
    {
      name: `${name}, not final`,
      rule: '5.2',
      send: [encodeFrame({ opcode, fin: false, payload: 'payload' })],
      expect: { fails: 1002 },
    },
    {
      name: `${name} after a message, then a ping`,
      rule: '5.2',
      send: [
        frameOf(before),
        encodeFrame({ opcode, payload: 'payload' }),
        encodeFrame({ opcode: opcodes.ping, payload: 'too late' }),
      ],
      expect: { fails: 1002, mayReply: [before] },
    },
    {
      name: `${name} inside a fragmented message`,
      rule: '5.4',
      send: [opening, encodeFrame({ opcode, payload: 'payload' }), rest],
      expect: { fails: 1002 },
    },
  ];
});

describe('reserved bits', () => {
  testWireCases([...refusedFrames, ...refusedLater], () => hub);
});
describe('reserved opcodes', () => {
  testWireCases(opcodeCases, () => hub);
});
