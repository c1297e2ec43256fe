import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { fragmentsOf, frameOf, jsonEcho } from './echo-message.ts';
import { closePayload, encodeFrame, opcodes } from './frame.ts';
import { testWireCases, openConnected, type WireCase } from './wire-case.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const close = (payload: Uint8Array | string = ''): Buffer =>
  encodeFrame({ opcode: opcodes.close, payload });
const ping = encodeFrame({ opcode: opcodes.ping, payload: 'too late' });

/** §7.4.1 and the IANA registry, and the ranges of §7.4.2 that applications may send. */
const validCodes = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3499, 3500,
  3999, 4000, 4499, 4999,
];

/** Never on the wire (1005, 1006, 1015), reserved (1004), not assigned, or out of range. */
const invalidCodes = [
  0, 1, 100, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65_535,
];

const codes: readonly WireCase[] = [
  {
    name: 'a close without a code is answered without one',
    rule: '5.5.1',
    send: [close()],
    expect: { closes: 'none' },
  },
  ...validCodes.map((code): WireCase => ({
    name: `code ${code} is echoed`,
    rule: '5.5.1, 7.4',
    send: [close(closePayload(code))],
    expect: { closes: code },
  })),
  ...validCodes.map((code): WireCase => ({
    name: `code ${code} with a reason is echoed`,
    rule: '5.5.1, 7.4',
    send: [close(closePayload(code, 'because'))],
    expect: { closes: code },
  })),
  ...invalidCodes.flatMap((code): WireCase[] => [
    {
      name: `code ${code} is an error`,
      rule: '7.4',
      send: [close(closePayload(code))],
      expect: { fails: 1002 },
    },
    {
      name: `code ${code} with a reason is an error`,
      rule: '7.4',
      send: [close(closePayload(code, 'because'))],
      expect: { fails: 1002 },
    },
  ]),
  {
    name: 'half a code is an error',
    rule: '5.5.1',
    send: [close(Buffer.from([0x03]))],
    expect: { fails: 1002 },
  },
];

const reasons: readonly WireCase[] = [
  {
    name: 'a reason of 123 bytes',
    rule: '5.5',
    send: [close(closePayload(1000, 'r'.repeat(123)))],
    expect: { closes: 1000 },
  },
  {
    name: 'a reason of 124 bytes is too long for a control frame',
    rule: '5.5',
    send: [close(closePayload(1000, 'r'.repeat(124)))],
    expect: { fails: 1002 },
  },
  {
    name: 'a reason in UTF-8',
    rule: '5.5.1',
    send: [close(closePayload(1000, 'tschüß 👋'))],
    expect: { closes: 1000 },
  },
  {
    name: 'a close byte by byte',
    rule: '5.5.1',
    send: [close(closePayload(1000, 'slowly'))],
    stepBytes: 1,
    expect: { closes: 1000 },
  },
  ...[
    ['is not UTF-8', 'fe ff'],
    ['ends inside a character', 'e2 82'],
    ['holds a surrogate', 'ed a0 80'],
    ['is overlong', 'c0 af'],
  ].map(([name, hex = '']): WireCase => ({
    name: `a reason that ${name as string}`,
    rule: '8.1',
    send: [close(closePayload(1000, Buffer.from(hex.replaceAll(' ', ''), 'hex')))],
    expect: { fails: 1007 },
  })),
];

function afterwards(): readonly WireCase[] {
  const before = jsonEcho('before the close');
  const after = jsonEcho('after the close');
  const cut = fragmentsOf(after, [10]);
  return [
    {
      name: 'a second close is not answered',
      rule: '5.5.1',
      send: [Buffer.concat([close(closePayload(1000)), close(closePayload(1001))])],
      expect: { closes: 1000 },
    },
    {
      name: 'a ping after the close is not answered',
      rule: '5.5.1',
      send: [Buffer.concat([close(closePayload(1000)), ping])],
      expect: { closes: 1000 },
    },
    {
      name: 'a message after the close is not answered',
      rule: '5.5.1',
      send: [Buffer.concat([close(closePayload(1000)), frameOf(after)])],
      expect: { closes: 1000 },
    },
    {
      name: 'fragments after the close are not answered',
      rule: '5.5.1',
      send: [Buffer.concat([close(closePayload(1000)), ...cut])],
      expect: { closes: 1000 },
    },
    {
      name: 'garbage after the close changes nothing',
      rule: '5.5.1, 1.4',
      send: [Buffer.concat([close(closePayload(1000)), Buffer.alloc(1_000, 0xff)])],
      expect: { closes: 1000 },
    },
    {
      name: 'a close right after a message',
      rule: '5.5.1',
      send: [Buffer.concat([frameOf(before), close(closePayload(1000))])],
      expect: { closes: 1000, mayReply: [before] },
    },
    {
      name: 'a violation is followed by good frames in the same segment: they are ignored',
      rule: '7.1.7',
      send: [Buffer.concat([encodeFrame({ opcode: 0x3 }), frameOf(after), ping, close()])],
      expect: { fails: 1002 },
    },
  ];
}

describe('closing', () => {
  testWireCases([...codes, ...reasons, ...afterwards()], () => hub);
});

test('after the closing handshake the server ends the TCP connection first (§7.1.1)', async () => {
  using client = await openConnected(hub.port);
  client.send(close(closePayload(1000)));
  // The client keeps its half open: untilEnd resolves only when the server ends its own.
  expect(await client.untilEnd()).toEqual([{ opcode: opcodes.close, payload: closePayload(1000) }]);
});

test('a client that ends its TCP half without a close is let go (§7.1.5: code 1006)', async () => {
  using client = await openConnected(hub.port);
  client.sendEnd();
  expect(await client.untilEnd()).toEqual([]);
});

test('a client that ends inside a frame is let go', async () => {
  using client = await openConnected(hub.port);
  client.send(frameOf(jsonEcho('cut off')).subarray(0, 20));
  client.sendEnd();
  expect(await client.untilEnd()).toEqual([]);
});
