import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { fragmentsOf, frameOf, jsonEcho, jsonEchoOfSize } from './echo-message.ts';
import { encodeFrame, opcodes } from './frame.ts';
import { encodeRequest, RawClient } from './raw-client.ts';
import { openConnected, testWireCases, type WireCase } from './wire-case.ts';

const messageSizeLimit = 10_000;
const maxFragments = 4;

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub({ websocket: { messageSizeLimit, maxFragments } });
});
afterAll(() => hub[Symbol.asyncDispose]());

const continuation = (payload: Uint8Array | string, fin: boolean): Buffer =>
  encodeFrame({ opcode: opcodes.continuation, payload, fin });

function atTheLimit(): readonly WireCase[] {
  const whole = jsonEchoOfSize(messageSizeLimit);
  const fragmented = jsonEchoOfSize(messageSizeLimit);
  const tooLong = jsonEchoOfSize(messageSizeLimit + 1);
  const enough = jsonEcho('as many fragments as are allowed');
  return [
    {
      name: 'a message as long as the limit',
      rule: '10.4',
      send: [frameOf(whole)],
      expect: { goesOn: { replies: [whole] } },
    },
    {
      name: 'a fragmented message as long as the limit',
      rule: '10.4',
      send: fragmentsOf(fragmented, [3_000, 6_000, 9_000]),
      expect: { goesOn: { replies: [fragmented] } },
    },
    {
      name: 'as many fragments as are allowed',
      rule: '10.4',
      send: fragmentsOf(enough, [1, 2, 3]),
      expect: { goesOn: { replies: [enough] } },
    },
    {
      name: 'a message of one byte more',
      rule: '7.4.1: 1009',
      send: [frameOf(tooLong)],
      expect: { fails: 1009 },
    },
    {
      name: 'a message of one byte more in fragments',
      rule: '7.4.1: 1009',
      send: fragmentsOf(tooLong, [3_000, 6_000, 9_000]),
      expect: { fails: 1009 },
    },
    {
      name: 'a first fragment that announces too much, and then silence',
      rule: '10.4',
      send: [
        encodeFrame({
          opcode: opcodes.text,
          fin: false,
          declaredLength: BigInt(messageSizeLimit + 1),
        }),
      ],
      expect: { fails: 1009 },
    },
    {
      name: 'a last fragment that announces too much, and then silence',
      rule: '10.4',
      send: [
        encodeFrame({ opcode: opcodes.text, payload: 'x'.repeat(9_000), fin: false }),
        encodeFrame({ opcode: opcodes.continuation, declaredLength: 1_001n }),
      ],
      expect: { fails: 1009 },
    },
    {
      name: 'one fragment too many',
      rule: '10.4',
      send: fragmentsOf(jsonEcho('fragments'), [1, 2, 3, 4]),
      expect: { fails: 1008 },
    },
    {
      name: 'empty fragments without an end',
      rule: '10.4',
      send: [
        encodeFrame({ opcode: opcodes.text, fin: false }),
        Buffer.concat(Array.from({ length: 1_000 }, () => continuation('', false))),
      ],
      expect: { fails: 1008 },
    },
  ];
}

describe('limits of a message', () => {
  testWireCases(atTheLimit(), () => hub);
});

/** Before connect nothing is known about the peer: it can do what it wants, and must cost nothing. */
const strangers: readonly WireCase[] = [
  {
    name: 'a reserved opcode',
    rule: '5.2',
    send: [encodeFrame({ opcode: 0x7 })],
    expect: { fails: 1002 },
  },
  {
    name: 'an unmasked frame',
    rule: '5.1',
    send: [encodeFrame({ opcode: opcodes.text, payload: '{}', mask: null })],
    expect: { fails: 1002 },
  },
  {
    name: 'bytes that are no UTF-8',
    rule: '8.1',
    send: [encodeFrame({ opcode: opcodes.text, payload: Buffer.from([0xff]) })],
    expect: { fails: 1007 },
  },
  {
    name: 'a message that is too long',
    rule: '7.4.1',
    send: [frameOf(jsonEchoOfSize(messageSizeLimit + 1))],
    expect: { fails: 1009 },
  },
  {
    name: 'too many fragments',
    rule: '10.4',
    send: fragmentsOf(jsonEcho('fragments'), [1, 2, 3, 4]),
    expect: { fails: 1008 },
  },
  {
    name: 'a proper close',
    rule: '5.5.1',
    send: [encodeFrame({ opcode: opcodes.close })],
    expect: { closes: 'none' },
  },
  {
    name: 'a command that is not connect',
    rule: '7.4.2',
    send: [frameOf(jsonEcho('too early'))],
    expect: { disconnects: 3501 },
  },
];

describe('before connect', () => {
  testWireCases(strangers, () => hub, { connects: false });
});

describe('a client that costs too much', () => {
  test('with more pings at once than pongs may wait is cut, and others are not disturbed', async () => {
    using client = await openConnected(hub.port);
    using other = await openConnected(hub.port);
    const ping = encodeFrame({ opcode: opcodes.ping, payload: randomBytes(125) });
    client.send(Buffer.concat(Array.from({ length: 1_000 }, () => ping)));
    const frames = await client.untilEnd();
    expect(frames.length).toBeLessThan(1_000);
    const message = jsonEcho('not disturbed');
    other.send(frameOf(message));
    expect((await other.nextFrame()).payload).toEqual(message.payload);
    await other.close();
  });

  /** Eight megabytes of commands. */
  const flood = (): Buffer =>
    Buffer.concat(Array.from({ length: 130 }, () => frameOf(jsonEchoOfSize(60_000))));

  test('by not reading what it asked for is not heard any further, and cut in time', async () => {
    await using own = await startEchoHub({ websocket: { writeTimeoutMs: 300 } });
    using client = await openConnected(own.port);
    const { metrics } = own.hub;
    client.pause();
    client.send(Buffer.concat([flood(), flood()]));
    await vi.waitFor(() => expect(metrics.disconnects.counts.get('3009')).toBe(1), 60_000);
    // What waits in the hub; the rest of the difference to 16 MB never left the client.
    expect(metrics.bytesReceived - metrics.bytesSent).toBeLessThan(2_000_000);
  });

  test('before anybody knows who it is', async () => {
    await using own = await startEchoHub({ client: { staleCloseDelayMs: 2_000 } });
    own.hub.on('connecting', () => new Promise<undefined>(() => {}));
    using client = await RawClient.open(own.port);
    client.send(encodeFrame({ opcode: opcodes.text, payload: '{"id":1,"connect":{}}' }));
    client.send(flood());
    const { metrics } = own.hub;
    await vi.waitFor(() => expect(metrics.disconnects.counts.get('3502')).toBe(1), 60_000);
    expect(metrics.bytesReceived).toBeLessThan(2_000_000);
  });
});

describe('a server that closes', () => {
  test('waits for the answer of the client, and no longer', async () => {
    using polite = await openConnected(hub.port);
    using silent = await openConnected(hub.port);
    await hub.hub.disconnect({ user: '' });
    for (const client of [polite, silent]) {
      const { opcode, payload } = await client.nextFrame();
      expect([opcode, payload.readUInt16BE()]).toEqual([opcodes.close, 3503]);
    }
    polite.send(encodeFrame({ opcode: opcodes.close, payload: Buffer.from([0x0d, 0xaf]) }));
    expect(await polite.untilEnd()).toEqual([]);
    // The silent one keeps its half open and never answers; after five seconds it is cut.
    expect(await silent.untilEnd(8_000)).toEqual([]);
    await vi.waitFor(() => expect(hub.hub.metrics.connections).toBe(0));
  });

  test('takes no more commands', async () => {
    using client = await openConnected(hub.port);
    const heard: string[] = [];
    const stop = hub.hub.on('rpc', ({ data }) => {
      heard.push(Buffer.from(data ?? []).toString());
      return {};
    });
    await hub.hub.disconnect({ user: '' });
    await client.nextFrame();
    client.send(frameOf(jsonEcho('too late')));
    client.send(encodeFrame({ opcode: opcodes.close, payload: Buffer.from([0x0d, 0xaf]) }));
    expect(await client.untilEnd()).toEqual([]);
    expect(heard).toEqual([]);
    stop();
  });
});

describe('a full or closing node', () => {
  test('says that it is full, and when to come again', async () => {
    await using full = await startEchoHub({ client: { connectionLimit: 1 } });
    using first = await openConnected(full.port);
    using second = new RawClient(full.port);
    const { status, headers, body } = await second.handshake(encodeRequest(full.port));
    expect([status, headers.has('retry-after')]).toEqual([503, true]);
    expect(body).toContain('connection_limit');
    await first.close();
  });

  test('tells everybody to go and lets nobody in', async () => {
    await using closing = await startEchoHub();
    using inside = await openConnected(closing.port);
    const closed = closing.hub.shutdown();
    const { payload } = await inside.nextFrame();
    expect(payload.readUInt16BE()).toBe(3001);
    using late = new RawClient(closing.port);
    const { status, body } = await late.handshake(encodeRequest(closing.port));
    expect(status).toBe(503);
    expect(body).toContain('shutting_down');
    inside.send(encodeFrame({ opcode: opcodes.close, payload: payload.subarray(0, 2) }));
    await inside.untilEnd();
    inside.sendEnd();
    await closed;
  });
});
