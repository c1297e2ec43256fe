import { afterAll, beforeAll, describe } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import {
  fragmentsOf,
  frameOf,
  jsonEcho,
  protobufEcho,
  protobufFormat,
  type EchoMessage,
} from './echo-message.ts';
import { encodeFrame, opcodes } from './frame.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const allBytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
const noUtf8 = Buffer.from([0xff, 0xfe, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80]);

function accepted(name: string, message: EchoMessage, rest: Partial<WireCase> = {}): WireCase {
  return {
    name,
    rule: '5.6',
    send: [frameOf(message)],
    expect: { goesOn: { replies: [message] } },
    ...rest,
  };
}

function inFragments(): WireCase {
  const message = protobufEcho(allBytes);
  return accepted('a message in fragments', message, {
    rule: '5.4',
    send: fragmentsOf(message, [0, 1, 2, 130, 131]),
  });
}

const binary: readonly WireCase[] = [
  ...[0, 1, 100, 115, 116, 117, 118, 119, 120, 65_000, 65_500].map((size) =>
    accepted(`a message with ${size} bytes of data`, protobufEcho(Buffer.alloc(size, 0xa5))),
  ),
  accepted('every byte there is', protobufEcho(allBytes)),
  accepted('bytes that are no UTF-8', protobufEcho(noUtf8)),
  accepted('bytes that are no UTF-8, byte by byte', protobufEcho(noUtf8), { stepBytes: 1 }),
  inFragments(),
  {
    name: 'a text message where binary belongs ends the connection',
    rule: '7.4.2',
    send: [frameOf(jsonEcho('text'))],
    expect: { disconnects: 3506 },
  },
  {
    name: 'an empty binary message is no command',
    rule: '7.4.2',
    send: [encodeFrame({ opcode: opcodes.binary })],
    expect: { disconnects: 3501 },
  },
];

const text: readonly WireCase[] = [
  {
    name: 'a binary message where text belongs ends the connection',
    rule: '7.4.2',
    send: [frameOf(protobufEcho(allBytes))],
    expect: { disconnects: 3506 },
  },
  {
    name: 'an empty text message is no command',
    rule: '7.4.2',
    send: [encodeFrame({ opcode: opcodes.text })],
    expect: { disconnects: 3501 },
  },
];

describe('binary messages', () => {
  testWireCases(binary, () => hub, { format: protobufFormat });
});

describe('the other type of message', () => {
  testWireCases(text, () => hub);
});
