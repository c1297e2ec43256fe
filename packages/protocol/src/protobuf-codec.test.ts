import { describe, expect, test } from 'vitest';
import {
  type Command,
  type ProtocolError,
  type ProtocolErrorCode,
  type Reply,
  protobufCodec,
} from './index.ts';

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];
const failsAs = (code: ProtocolErrorCode) => expect.objectContaining({ code });

/** One length-delimited message of these bytes. */
const delimited = (...body: number[]) => Uint8Array.from([body.length, ...body]);
const read = (...body: number[]) => protobufCodec.decodeCommands(delimited(...body));
const readReply = (...body: number[]) => protobufCodec.decodeReplies(delimited(...body));
/** The body of the one message that encodes `command`. */
const write = (command: Command) => [...protobufCodec.encodeCommand(command).subarray(1)];
const writeReply = (reply: Reply) => [...protobufCodec.encodeReply(reply).subarray(1)];

/** Field 5 of a command (subscribe), holding these bytes. */
const subscribe = (...body: number[]) => [0x2a, body.length, ...body];
/** Field 4 of a command (connect), holding these bytes. */
const connect = (...body: number[]) => [0x22, body.length, ...body];
const continued = (count: number) => Array.from({ length: count }, () => 0x80);
const ones = (count: number) => Array.from({ length: count }, () => 0xff);

function refusal(frame: Uint8Array): ProtocolErrorCode | undefined {
  try {
    protobufCodec.decodeCommands(frame);
    return undefined;
  } catch (error) {
    return (error as ProtocolError).code;
  }
}

describe('the bytes on the wire, written down from the encoding rules', () => {
  test.each<[string, Command, number[]]>([
    ['a small number', { id: 1 }, [0x08, 1]],
    ['two bytes of number', { id: 300 }, [0x08, 0xac, 0x02]],
    ['the largest uint32', { id: 2 ** 32 - 1 }, [0x08, ...ones(4), 0x0f]],
    ['a boolean', { subscribe: { recover: true } }, subscribe(0x18, 1)],
    ['a string', { subscribe: { channel: 'é' } }, subscribe(0x0a, 2, 0xc3, 0xa9)],
    [
      'a field number over 15',
      { subscribe: { type: 4, phase: 2 } },
      subscribe(0x78, 4, 0x80, 1, 2),
    ],
    [
      'a negative int32, which takes ten bytes',
      { subscribe: { limit: -1 } },
      subscribe(0x90, 1, ...ones(9), 1),
    ],
    [
      'the smallest int64 that is exact',
      { subscribe: { flag: Number.MIN_SAFE_INTEGER } },
      subscribe(0x70, 0x81, ...continued(6), 0xf0, 0xff, 0x01),
    ],
    [
      'the largest uint64 that is exact',
      { subscribe: { offset: Number.MAX_SAFE_INTEGER } },
      subscribe(0x38, ...ones(7), 0x0f),
    ],
    ['raw bytes', { rpc: { data: Uint8Array.of(0, 255) } }, [0x6a, 4, 0x0a, 2, 0, 255]],
    [
      'a map of strings',
      { connect: { headers: { a: 'b' } } },
      connect(0x32, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62),
    ],
    [
      'a map of messages',
      { connect: { subs: { a: { offset: 5 } } } },
      connect(0x1a, 7, 0x0a, 1, 0x61, 0x12, 2, 0x38, 5),
    ],
    ['a list', { sub_refresh: { untrack: ['a', ''] } }, [0x7a, 5, 0x2a, 1, 0x61, 0x2a, 0]],
    ['a message without fields', { ping: {} }, [0x5a, 0]],
  ])('%s', (_name, command, body) => {
    expect(write(command)).toEqual(body);
    expect(read(...body)).toEqual([command]);
  });

  test.each<[number, number[]]>([
    [1, [2]],
    [-1, [1]],
    [150, [0xac, 2]],
    [-64, [0x7f]],
    [Number.MAX_SAFE_INTEGER, [0xfe, ...ones(6), 0x1f]],
    [Number.MIN_SAFE_INTEGER, [0xfd, ...ones(6), 0x1f]],
  ])('a score of %i is zigzag', (score, encoded) => {
    const body = [0x22, encoded.length + 3, 0x22, encoded.length + 1, 0x68, ...encoded];
    expect(writeReply({ push: { pub: { score } } })).toEqual(body);
    expect(readReply(...body)).toEqual([{ push: { pub: { score } } }]);
  });

  test('what is zero is left out, also where JSON would write it', () => {
    expect(writeReply({ id: 0, history: { publications: [], epoch: '', offset: 0 } })).toEqual([
      0x5a, 0,
    ]);
  });

  test.each([127, 128, 16_383, 16_384, 300_000])('lengths of every size: %i bytes', (size) => {
    const data = new Uint8Array(size).fill(7);
    const reply = { id: 1, push: { channel: 'x'.repeat((size % 200) + 1), pub: { data } } };
    const [decoded] = protobufCodec.decodeReplies(protobufCodec.encodeReply(reply));
    expect(decoded?.push?.channel).toBe(reply.push.channel);
    expect(Buffer.from(decoded?.push?.pub?.data ?? []).equals(data)).toBe(true);
  });

  test('an unpaired surrogate becomes a replacement character', () => {
    expect(write({ subscribe: { channel: 'a\uD800' } })).toEqual(
      subscribe(0x0a, 4, 0x61, 0xef, 0xbf, 0xbd),
    );
  });

  test('application data may be anything', () => {
    const data = Uint8Array.from({ length: 256 }, (_, index) => index);
    const reply = { push: { pub: { data } } };
    expect(protobufCodec.decodeReplies(protobufCodec.encodeReply(reply))).toEqual([reply]);
  });
});

describe('reading', () => {
  test('a batch', () => {
    expect(protobufCodec.decodeCommands(Uint8Array.of(2, 8, 1, 0, 2, 8, 2))).toEqual([
      { id: 1 },
      {},
      { id: 2 },
    ]);
  });

  test('fields that nobody knows are skipped, of every wire type', () => {
    const varint = [0x10, ...continued(9), 1];
    const fixed64 = [0x19, 1, 2, 3, 4, 5, 6, 7, 8];
    const delimitedBytes = [0x82, 0x7d, 3, 9, 9, 9];
    const fixed32 = [0xfd, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4];
    expect(read(...varint, ...fixed64, ...delimitedBytes, ...fixed32, 0x08, 7)).toEqual([
      { id: 7 },
    ]);
  });

  test('a single field that comes twice has its last value, a list has them all', () => {
    expect(read(0x08, 1, 0x08, 2, ...subscribe(0x0a, 1, 0x61), ...subscribe(0x18, 1))).toEqual([
      { id: 2, subscribe: { recover: true } },
    ]);
    expect(read(0x7a, 3, 0x2a, 1, 0x61, 0x7a, 3, 0x2a, 1, 0x62)).toEqual([
      { sub_refresh: { untrack: ['b'] } },
    ]);
  });

  test('numbers may be longer than they need to be', () => {
    expect(read(0x88, 0x00, 0x85, ...continued(8), 0)).toEqual([{ id: 5 }]);
    expect(protobufCodec.decodeCommands(Uint8Array.of(0x82, 0x80, 0x80, 0x80, 0, 8, 1))).toEqual([
      { id: 1 },
    ]);
  });

  test('any number but zero is true', () => {
    expect(read(...subscribe(0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 1))).toEqual([
      { subscribe: { recover: true } },
    ]);
    expect(read(...subscribe(0x18, 0))).toEqual([{ subscribe: { recover: false } }]);
  });

  test('an entry of a map may lack its key, its value or both', () => {
    expect(read(...connect(0x32, 3, 0x0a, 1, 0x61))).toEqual([{ connect: { headers: { a: '' } } }]);
    expect(read(...connect(0x32, 3, 0x12, 1, 0x62))).toEqual([
      { connect: { headers: { '': 'b' } } },
    ]);
    expect(read(...connect(0x1a, 0))).toEqual([{ connect: { subs: { '': {} } } }]);
    expect(read(...connect(0x32, 6, 0x18, 9, 0x12, 0, 0x0a, 0))).toEqual([
      { connect: { headers: { '': '' } } },
    ]);
  });

  test('names from strangers are names like all others', () => {
    const name = utf8('__proto__');
    const [command] = read(...connect(0x1a, 15, 0x0a, name.length, ...name, 0x12, 2, 0x38, 1));
    expect(Object.entries(command?.connect?.subs ?? {})).toEqual([['__proto__', { offset: 1 }]]);
    expect(({} as { offset?: unknown }).offset).toBeUndefined();
  });

  test('what a reply lacks and always has is added', () => {
    expect(readReply(0x5a, 0)).toEqual([{ history: { publications: [], epoch: '', offset: 0 } }]);
    expect(readReply(0x22, 2, 0x2a, 0)).toEqual([
      { push: { join: { info: { user: '', client: '' } } } },
    ]);
    expect(readReply(0x12, 0)).toEqual([{ error: { code: 0, message: '' } }]);
  });

  test.each<[string, number[]]>([
    ['a number that ends early', [0x08]],
    ['a number of more than 64 bits', [0x08, ...ones(9), 2]],
    ['a number of more than ten bytes', [0x08, ...continued(10), 0]],
    ['a tag that ends early', [0x80]],
    ['field number 0', [0x00, 1]],
    ['a field number of more than 29 bits', [0x88, ...continued(4), 1, 1]],
    ['a length that leads out of the message', [0x2a, 1]],
    ['a length that leads out of a nested message', subscribe(0x0a, 9, 0x61)],
    ['a length of more than 2^53', [0x2a, ...ones(9), 1]],
    ['a skipped length that leads out of the message', [0x12, 5, 1]],
    ['a fixed number that ends early', [0x1d, 1, 2, 3]],
    ['a long fixed number that ends early', [0x19, 1, 2, 3, 4, 5, 6, 7]],
    ['a group', [0x13, 0x14]],
    ['the end of a group', [0x14]],
    ['a wire type that does not exist', [0x16, 1]],
    ['text that is not UTF-8', subscribe(0x0a, 1, 0xff)],
    ['text with half a character', subscribe(0x0a, 1, 0xc3)],
    ['a surrogate in UTF-8', subscribe(0x0a, 3, 0xed, 0xa0, 0x80)],
    ['a map entry that ends early', connect(0x32, 5, 0x0a, 1, 0x61)],
  ])('what is not Protobuf is refused: %s', (_name, body) => {
    expect(() => read(...body)).toThrow(failsAs('malformed'));
  });

  test.each<[string, number[]]>([
    ['a string as an id', [0x0a, 1, 0x31]],
    ['a fixed number as an id', [0x0d, 1, 0, 0, 0]],
    ['a number as a message', [0x28, 1]],
    ['a number as a string', subscribe(0x08, 1)],
    ['a number as a map', connect(0x18, 1)],
    ['a number as a key', connect(0x32, 2, 0x08, 1)],
    ['a number as a value', connect(0x32, 2, 0x10, 1)],
    ['an id of 33 bits', [0x08, ...continued(4), 0x10]],
    ['an offset of 2^53', subscribe(0x38, ...continued(7), 0x10)],
    ['an offset of 2^64-1', subscribe(0x38, ...ones(9), 1)],
    ['a flag of -2^53', subscribe(0x70, ...continued(7), 0xf0, 0xff, 1)],
    ['a flag of -2^63', subscribe(0x70, ...continued(9), 1)],
    ['a limit of 2^31', subscribe(0x90, 1, ...continued(4), 0x08)],
    ['a limit of -2^31-1', subscribe(0x90, 1, ...ones(4), 0xf7, ...ones(4), 1)],
  ])('the wrong type is refused, and no number is ever rounded: %s', (_name, body) => {
    expect(() => read(...body)).toThrow(failsAs('wrong_type'));
  });

  test.each<[string, number[]]>([
    ['that ends early', [0x80]],
    ['that promises more than there is', [3, 8, 1]],
    ['of more than five bytes', [0x82, ...continued(4), 0, 8, 1]],
    ['of more than 32 bits', [0x80, 0x80, 0x80, 0x80, 0x10]],
    ['after a whole message', [2, 8, 1, 5]],
  ])('a length prefix is refused %s', (_name, frame) => {
    expect(() => protobufCodec.decodeCommands(Uint8Array.from(frame))).toThrow(
      failsAs('malformed'),
    );
  });

  test('a message that is cut is refused wherever it is cut', () => {
    const body = protobufCodec
      .encodeCommand({ id: 300, connect: { token: 'abc', subs: { a: { epoch: 'xy' } } } })
      .subarray(1);
    const understood: number[] = [];
    for (let length = 0; length < body.length; length += 1) {
      const code = refusal(delimited(...body.subarray(0, length)));
      expect(['malformed', undefined]).toContain(code);
      if (code === undefined) understood.push(length);
    }
    // Before the first field and after it.
    expect(understood).toEqual([0, 3]);
  });
});

test('a body of the emulation endpoint has no length in front', () => {
  expect([...protobufCodec.encodeEmulation({ node: 'n', data: Uint8Array.of(0) })]).toEqual([
    0x0a, 1, 0x6e, 0x1a, 1, 0,
  ]);
  expect(protobufCodec.decodeEmulation(new Uint8Array())).toEqual({});
});
