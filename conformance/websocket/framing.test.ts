import { afterAll, beforeAll, describe } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { frameOf, jsonEcho, jsonEchoOfSize, type EchoMessage } from './echo-message.ts';
import { encodeFrame, type FrameSettings } from './frame.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

/** Around the places where the encoding of the length changes, up to the message limit. */
const sizes = [100, 125, 126, 127, 128, 255, 256, 1_000, 65_534, 65_535, 65_536];

function accepted(name: string, message: EchoMessage, rest: Partial<WireCase> = {}): WireCase {
  return {
    name,
    rule: '5.2',
    send: [frameOf(message)],
    expect: { goesOn: { replies: [message] } },
    ...rest,
  };
}

const lengths: readonly WireCase[] = [
  ...sizes.map((size) => accepted(`a message of ${size} bytes`, jsonEchoOfSize(size))),
  ...sizes.map((size) =>
    accepted(`a message of ${size} bytes, in TCP segments of 997 bytes`, jsonEchoOfSize(size), {
      stepBytes: 997,
    }),
  ),
  ...[100, 125, 126, 200].map((size) =>
    accepted(`a message of ${size} bytes, byte by byte`, jsonEchoOfSize(size), { stepBytes: 1 }),
  ),
];

function manyAtOnce(count: number): WireCase {
  const messages = Array.from({ length: count }, (_, index) => jsonEcho(`message ${index}`));
  return {
    name: `${count} messages in one TCP segment`,
    rule: '5.4',
    send: [Buffer.concat(messages.map(frameOf))],
    expect: { goesOn: { replies: messages } },
  };
}

const masks = (
  [
    [0, 0, 0, 0],
    [255, 255, 255, 255],
    [0, 0, 0, 1],
    [0x7b, 0x22, 0x69, 0x64],
  ] as const
).map((mask): WireCase => {
  const message = jsonEcho('masked');
  return accepted(`masking key ${Buffer.from(mask).toString('hex')}`, message, {
    rule: '5.3',
    send: [encodeFrame({ ...message, mask })],
  });
});

/** Sent after a message that is answered, and as the first thing after connect. */
function violation(name: string, rule: string, settings: FrameSettings): WireCase[] {
  const before = jsonEcho('before');
  const bytes = encodeFrame(settings);
  return [
    { name, rule, send: [bytes], expect: { fails: 1002 } },
    {
      name: `${name}, after a message`,
      rule,
      send: [frameOf(before), bytes],
      expect: { fails: 1002, mayReply: [before] },
    },
  ];
}

const unmasked = [
  ['text', { opcode: 0x1, payload: '{}' }],
  ['empty text', { opcode: 0x1 }],
  ['binary', { opcode: 0x2, payload: '{}' }],
  ['ping', { opcode: 0x9, payload: 'ping' }],
  ['pong', { opcode: 0xa }],
  ['close', { opcode: 0x8, payload: Buffer.from([0x03, 0xe8]) }],
] as const satisfies readonly (readonly [string, FrameSettings])[];

const unmaskedFrames = unmasked.flatMap(([name, settings]) =>
  violation(`an unmasked ${name} frame`, '5.1', { ...settings, mask: null }),
);

/** The server may take a longer encoding than needed or refuse it, but never misread it. */
const wastefulLengths = ([16, 64] as const).map((lengthBits): WireCase => {
  const message = jsonEcho('long-winded');
  return accepted(`a length below 126 told in ${lengthBits} bits`, message, {
    send: [encodeFrame({ ...message, lengthBits })],
  });
});

const impossibleLengths = [
  ['the most significant bit of 64', 1n << 63n],
  ['all 64 bits', (1n << 64n) - 1n],
  ['2^62', 1n << 62n],
  ['2^53', 1n << 53n],
  ['2^32', 1n << 32n],
  ['one more than the message limit', 65_537n],
] as const;

/** Only the head is sent: the server has to refuse before it waits for the payload. */
const declaredLengths = impossibleLengths.map(([name, declaredLength]): WireCase => ({
  name: `a declared length of ${name}, and then silence`,
  rule: '5.2, 10.4',
  send: [encodeFrame({ opcode: 0x1, declaredLength, lengthBits: 64 })],
  expect: { fails: [1002, 1009] },
}));

const cases = [
  ...lengths,
  manyAtOnce(2),
  manyAtOnce(100),
  ...masks,
  ...wastefulLengths,
  ...unmaskedFrames,
  ...declaredLengths,
];

describe('framing', () => {
  testWireCases(cases, () => hub);
});
