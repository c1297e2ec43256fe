import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { frameOf, jsonEcho, jsonEchoOfSize, type EchoMessage } from './echo-message.ts';
import { deflate, encodeFrame, opcodes } from './frame.ts';
import { encodeRequest, RawClient } from './raw-client.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

/** RSV1 marks a compressed message (RFC 7692 §6). */
const rsv1 = 4;

const request = { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } };

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub({ websocket: { compression: true } });
});
afterAll(() => hub[Symbol.asyncDispose]());

function compressed({ opcode, payload }: EchoMessage): Buffer {
  return encodeFrame({ opcode, payload: deflate(payload), rsv: rsv1 });
}

function accepted(): readonly WireCase[] {
  const short = jsonEcho('compressed');
  const long = jsonEchoOfSize(60_000);
  const limit = jsonEchoOfSize(65_536);
  const incompressible = jsonEcho(randomBytes(20_000).toString('base64'));
  const plain = jsonEcho('not compressed');
  const both = [jsonEcho('compressed'), jsonEcho('plain'), jsonEcho('compressed again')] as const;
  const cut = jsonEcho('compressed and fragmented');
  const deflated = deflate(cut.payload);
  return [
    {
      name: 'a short message',
      rule: 'RFC 7692 6',
      send: [compressed(short)],
      expect: { goesOn: { replies: [short] } },
    },
    {
      name: 'a long message, whose answer is compressed',
      rule: 'RFC 7692 6',
      send: [compressed(long)],
      expect: { goesOn: { replies: [long] } },
    },
    {
      name: 'a message that inflates to the limit',
      rule: 'RFC 7692 6',
      send: [compressed(limit)],
      expect: { goesOn: { replies: [limit] } },
    },
    {
      name: 'a message that compression makes longer',
      rule: 'RFC 7692 6',
      send: [compressed(incompressible)],
      expect: { goesOn: { replies: [incompressible] } },
    },
    {
      name: 'a message that is not compressed',
      rule: 'RFC 7692 6',
      send: [frameOf(plain)],
      expect: { goesOn: { replies: [plain] } },
    },
    {
      name: 'compressed and plain messages in turn, byte by byte',
      rule: 'RFC 7692 6',
      send: [compressed(both[0]), frameOf(both[1]), compressed(both[2])],
      stepBytes: 1,
      expect: { goesOn: { replies: both } },
    },
    {
      name: 'a compressed message in fragments: only the first is marked',
      rule: 'RFC 7692 6.1',
      send: [
        encodeFrame({
          opcode: cut.opcode,
          payload: deflated.subarray(0, 7),
          rsv: rsv1,
          fin: false,
        }),
        encodeFrame({ opcode: opcodes.ping, payload: 'between' }),
        encodeFrame({ opcode: opcodes.continuation, payload: deflated.subarray(7) }),
      ],
      expect: { goesOn: { replies: [cut], pongs: ['between'] } },
    },
  ];
}

const start = encodeFrame({
  opcode: opcodes.text,
  payload: deflate('{"id":').subarray(0, 3),
  rsv: rsv1,
  fin: false,
});

const refused: readonly WireCase[] = [
  ...([1, 2, 3, 5, 6, 7] as const).map((rsv): WireCase => ({
    name: `reserved bits ${rsv.toString(2).padStart(3, '0')}`,
    rule: '5.2',
    send: [encodeFrame({ opcode: opcodes.text, payload: deflate('{}'), rsv })],
    expect: { fails: 1002 },
  })),
  ...([opcodes.ping, opcodes.pong, opcodes.close] as const).map((opcode): WireCase => ({
    name: `a compressed control frame (opcode ${opcode})`,
    rule: 'RFC 7692 6.1',
    send: [encodeFrame({ opcode, payload: deflate('{}'), rsv: rsv1 })],
    expect: { fails: 1002 },
  })),
  {
    name: 'a marked continuation',
    rule: 'RFC 7692 6.1',
    send: [start, encodeFrame({ opcode: opcodes.continuation, payload: 'x', rsv: rsv1 })],
    expect: { fails: 1002 },
  },
  {
    name: 'a payload that does not inflate',
    rule: '7.4.1: 1007',
    send: [encodeFrame({ opcode: opcodes.text, payload: Buffer.alloc(50, 0xff), rsv: rsv1 })],
    expect: { fails: 1007 },
  },
  {
    name: 'a payload that inflates to bytes that are no UTF-8',
    rule: '8.1',
    send: [encodeFrame({ opcode: opcodes.text, payload: deflate(Buffer.from([0xff])), rsv: rsv1 })],
    expect: { fails: 1007 },
  },
  {
    name: 'a message that inflates to one byte more than the limit',
    rule: '10.4',
    send: [compressed(jsonEchoOfSize(65_537))],
    expect: { fails: 1009 },
  },
  {
    name: 'ten megabytes of nothing in ten kilobytes',
    rule: '10.4',
    send: [
      encodeFrame({ opcode: opcodes.text, payload: deflate(Buffer.alloc(1e7, ' ')), rsv: rsv1 }),
    ],
    expect: { fails: 1009 },
  },
  {
    name: 'the same in fragments',
    rule: '10.4',
    send: [
      encodeFrame({
        opcode: opcodes.text,
        payload: deflate(Buffer.alloc(1e7, ' ')),
        rsv: rsv1,
        fin: false,
      }),
      encodeFrame({ opcode: opcodes.continuation }),
    ],
    expect: { fails: 1009 },
  },
];

describe('negotiation', () => {
  test.for([
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    'x-unknown, permessage-deflate',
  ])('%s', async (offer) => {
    using client = new RawClient(hub.port);
    const { status, headers } = await client.handshake(
      encodeRequest(hub.port, { headers: { 'Sec-WebSocket-Extensions': offer } }),
    );
    expect(status).toBe(101);
    const answer = headers.get('sec-websocket-extensions') ?? '';
    const parameters = answer.split(';').map((parameter) => parameter.trim());
    expect(parameters[0]).toBe('permessage-deflate');
    // No state outlives a message, in either direction: that is what bounds the memory.
    expect(parameters).toContain('server_no_context_takeover');
    expect(parameters).toContain('client_no_context_takeover');
  });

  test.for([
    'permessage-deflate; client_max_window_bits=17',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=x',
    'permessage-deflate; unknown_parameter',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate;',
    '=',
  ])('%s is refused or not agreed to', async (offer) => {
    using client = new RawClient(hub.port);
    const { status, headers } = await client.handshake(
      encodeRequest(hub.port, { headers: { 'Sec-WebSocket-Extensions': offer } }),
    );
    expect([101, 400]).toContain(status);
    expect(headers.has('sec-websocket-extensions')).toBe(false);
  });
});

describe('compressed messages', () => {
  testWireCases(accepted(), () => hub, { request });
});

describe('violations of compression', () => {
  testWireCases(refused, () => hub, { request });
});
