import { afterAll, beforeAll, describe } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { fragmentsOf, frameOf, jsonEcho } from './echo-message.ts';
import { closePayload, encodeFrame, opcodes } from './frame.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const ping = (payload: Uint8Array | string = ''): Buffer =>
  encodeFrame({ opcode: opcodes.ping, payload });
const pong = (payload: Uint8Array | string = ''): Buffer =>
  encodeFrame({ opcode: opcodes.pong, payload });

const payloads: readonly (readonly [string, Uint8Array | string])[] = [
  ['no payload', ''],
  ['one byte', Buffer.from([0])],
  ['text', 'are you there?'],
  ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe, 0xfd, 0x00, 0x80])],
  ['124 bytes', Buffer.alloc(124, 0xfe)],
  ['125 bytes', Buffer.alloc(125, 'p')],
];

const pings: readonly WireCase[] = [
  ...payloads.map(([name, payload]): WireCase => ({
    name: `a ping with ${name}`,
    rule: '5.5.2',
    send: [ping(payload)],
    expect: { goesOn: { pongs: [payload] } },
  })),
  ...payloads.map(([name, payload]): WireCase => ({
    name: `a ping with ${name}, byte by byte`,
    rule: '5.5.2',
    send: [ping(payload)],
    stepBytes: 1,
    expect: { goesOn: { pongs: [payload] } },
  })),
  {
    name: 'ten pings in one TCP segment',
    rule: '5.5.2',
    send: [Buffer.concat(Array.from({ length: 10 }, (_, index) => ping(`ping ${index}`)))],
    expect: { goesOn: { pongs: Array.from({ length: 10 }, (_, index) => `ping ${index}`) } },
  },
];

const pongs: readonly WireCase[] = [
  ['without payload', ''],
  ['with payload', 'nobody asked'],
  ['with 125 bytes', Buffer.alloc(125, 0xff)],
].map(([name, payload]): WireCase => ({
  name: `an unsolicited pong ${name as string} is ignored`,
  rule: '5.5.3',
  send: [pong(payload), ping('and a ping'), pong(payload)],
  expect: { goesOn: { pongs: ['and a ping'] } },
}));

const controls = [
  ['ping', opcodes.ping],
  ['pong', opcodes.pong],
  ['close', opcodes.close],
] as const;

const tooLong = controls.flatMap(([name, opcode]): WireCase[] =>
  [126, 127, 65_535, 65_536].map((size) => {
    const payload = Buffer.alloc(size, 'c');
    if (opcode === opcodes.close) closePayload(1000).copy(payload);
    return {
      name: `a ${name} of ${size} bytes`,
      rule: '5.5',
      send: [encodeFrame({ opcode, payload })],
      expect: { fails: 1002 },
    };
  }),
);

const longLengths = controls.flatMap(([name, opcode]): WireCase[] =>
  ([16, 64] as const).map((lengthBits) => ({
    name: `a ${name} whose short length is told in ${lengthBits} bits`,
    rule: '5.5',
    send: [encodeFrame({ opcode, payload: closePayload(1000), lengthBits })],
    expect: { fails: 1002 },
  })),
);

const fragmented = controls.flatMap(([name, opcode]): WireCase[] => [
  {
    name: `a fragmented ${name}`,
    rule: '5.5',
    send: [encodeFrame({ opcode, fin: false })],
    expect: { fails: 1002 },
  },
  {
    name: `a fragmented ${name} with its continuation`,
    rule: '5.5',
    send: [
      encodeFrame({ opcode, fin: false, payload: closePayload(1000) }),
      encodeFrame({ opcode: opcodes.continuation, payload: 'rest' }),
    ],
    expect: { fails: 1002 },
  },
  {
    name: `a fragmented ${name} inside a fragmented message`,
    rule: '5.5',
    send: [
      encodeFrame({ opcode: opcodes.text, fin: false, payload: '{' }),
      encodeFrame({ opcode, fin: false, payload: closePayload(1000) }),
    ],
    expect: { fails: 1002 },
  },
]);

function inside(): readonly WireCase[] {
  const message = jsonEcho('in three fragments');
  const [first = message.payload, second = first, third = first] = fragmentsOf(message, [10, 20]);
  const between = jsonEcho('pings between messages');
  return [
    {
      name: 'pings between the fragments of a message',
      rule: '5.4',
      send: [first, ping('one'), second, ping('two'), third],
      expect: { goesOn: { replies: [message], pongs: ['one', 'two'] } },
    },
    {
      name: 'pongs between the fragments of a message',
      rule: '5.4',
      send: [first, pong('one'), second, pong(), third],
      expect: { goesOn: { replies: [message] } },
    },
    {
      name: 'pings between the fragments, byte by byte',
      rule: '5.4',
      send: [first, ping('one'), second, ping('two'), third],
      stepBytes: 1,
      expect: { goesOn: { replies: [message], pongs: ['one', 'two'] } },
    },
    {
      name: 'pings around a message',
      rule: '5.5.2',
      send: [ping('before'), frameOf(between), ping('after')],
      expect: { goesOn: { replies: [between], pongs: ['before', 'after'] } },
    },
  ];
}

const cases = [...pings, ...pongs, ...tooLong, ...longLengths, ...fragmented, ...inside()];

describe('control frames', () => {
  testWireCases(cases, () => hub);
});
