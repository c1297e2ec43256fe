import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Codec, ProtocolError, codecFor, jsonCodec, protobufCodec } from './index.ts';
import {
  arbitraryCommand,
  arbitraryEmulation,
  arbitraryPush,
  arbitraryReply,
} from './testing/index.ts';

const codecs = [jsonCodec, protobufCodec];
const decoders = ['decodeCommands', 'decodeReplies', 'decodeEmulation'] as const;

/** What `decode` throws, if anything, that is no protocol error. */
function crash(decode: () => unknown): unknown {
  try {
    decode();
    return undefined;
  } catch (error) {
    return error instanceof ProtocolError ? undefined : error;
  }
}

test('a codec is found by the name of its format', () => {
  for (const codec of codecs) expect(codecFor(codec.format)).toBe(codec);
});

describe.each(codecs)('the $format format', (codec: Codec) => {
  test('commands come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(arbitraryCommand, { minLength: 1, maxLength: 2 }), (commands) => {
        const frame = codec.joinMessages(commands.map((command) => codec.encodeCommand(command)));
        expect(codec.decodeCommands(frame)).toEqual(commands);
      }),
    );
  });

  test('replies come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(arbitraryReply, { minLength: 1, maxLength: 2 }), (replies) => {
        const frame = codec.joinMessages(replies.map((reply) => codec.encodeReply(reply)));
        expect(codec.decodeReplies(frame)).toEqual(replies);
      }),
    );
  });

  test('a bare push is what a reply carries as its push', () => {
    fc.assert(
      fc.property(arbitraryPush, (push) => {
        const wrapped = codec.encodeReply({ push });
        const bare = codec.encodePush(push);
        const start = wrapped.length - 1 - bare.length;
        const inside =
          codec === jsonCodec
            ? wrapped.subarray(start, -1)
            : wrapped.subarray(wrapped.length - bare.length);
        // Both length prefixes are the same number of the same message.
        expect(Buffer.from(inside).equals(bare)).toBe(true);
      }),
    );
  });

  test('requests of the emulation endpoint come out as they went in', () => {
    fc.assert(
      fc.property(arbitraryEmulation, (request) => {
        expect(codec.decodeEmulation(codec.encodeEmulation(request))).toEqual(request);
      }),
    );
  });

  test('maps have no prototype, so that no name in them means anything', () => {
    const connect = { subs: { a: {} }, headers: { b: 'c' } };
    const [command] = codec.decodeCommands(codec.encodeCommand({ id: 1, connect }));
    expect(Object.getPrototypeOf(command?.connect?.subs)).toBeNull();
    expect(Object.getPrototypeOf(command?.connect?.headers)).toBeNull();
    const [reply] = codec.decodeReplies(codec.encodeReply({ id: 1, presence: {} }));
    expect(Object.getPrototypeOf(reply?.presence?.presence)).toBeNull();
  });

  test('what is decoded shares no memory with the frame', () => {
    const data = new TextEncoder().encode('{"a":"b"}');
    const frame = codec.encodeCommand({ id: 1, rpc: { data, method: 'method' } });
    const commands = codec.decodeCommands(frame);
    frame.fill(0);
    expect(commands).toEqual([{ id: 1, rpc: { data, method: 'method' } }]);
  });

  test('a ping is an empty message, and so is a pong', () => {
    expect([...codec.encodeReply({})]).toEqual(codec === jsonCodec ? [0x7b, 0x7d] : [0]);
    expect(codec.decodeCommands(codec.encodeCommand({}))).toEqual([{}]);
  });

  test('a result without fields is there', () => {
    const reply = { id: 2, subscribe: {}, publish: {}, unsubscribe: {}, refresh: {} };
    expect(codec.decodeReplies(codec.encodeReply(reply))).toEqual([reply]);
  });

  test('joining one message costs nothing, joining none gives nothing', () => {
    const message = codec.encodeReply({ id: 1 });
    expect(codec.joinMessages([message])).toBe(message);
    expect(codec.joinMessages([])).toHaveLength(0);
  });

  test('a frame of nothing is blank', () => {
    for (const decode of ['decodeCommands', 'decodeReplies'] as const) {
      expect(() => codec[decode](new Uint8Array())).toThrow(
        expect.objectContaining({ code: 'blank_frame' }),
      );
    }
  });

  test('a filter may be nested 16 deep and no deeper', () => {
    const nested = (depth: number): object =>
      depth === 1 ? { op: 'and' } : { op: 'and', nodes: [nested(depth - 1)] };
    const frame = (depth: number) =>
      codec.encodeCommand({ id: 1, subscribe: { channel: 'a', tf: nested(depth) } });
    expect(codec.decodeCommands(frame(16))[0]?.subscribe?.tf).toEqual(nested(16));
    expect(() => codec.decodeCommands(frame(17))).toThrow(
      expect.objectContaining({ code: 'too_deep' }),
    );
  });

  test('garbage is refused with a protocol error, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        for (const decoder of decoders)
          expect(crash(() => codec[decoder](garbage))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('a damaged message is refused or understood, but never crashes', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(arbitraryReply, arbitraryCommand, damage, (reply, command, changes) => {
        const frames = [codec.encodeReply(reply), codec.encodeCommand(command)];
        for (const frame of frames) {
          for (const [position, byte] of changes) frame[position % frame.length] = byte;
          for (const decoder of decoders)
            expect(crash(() => codec[decoder](frame))).toBeUndefined();
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['a fraction', { id: 1.5 }],
    ['a negative id', { id: -1 }],
    ['not a number', { id: Number.NaN }],
    ['an id of 33 bits', { id: 2 ** 32 }],
    ['an offset that is not exact', { subscribe: { offset: 2 ** 53 } }],
    ['a number as a channel', { subscribe: { channel: 5 } }],
    ['a string as a flag', { subscribe: { recover: 'yes' } }],
    ['text as application data', { rpc: { data: '{}' } }],
    ['a string as a message', { connect: 'now' }],
    ['a number in a map', { connect: { headers: { a: 1 } } }],
    ['a number in a list', { sub_refresh: { untrack: [7] } }],
    ['text as a list', { sub_refresh: { untrack: 'ab' } }],
    ['a number as a list', { sub_refresh: { untrack: 5 } }],
    ['text as a map', { connect: { headers: 'ab' } }],
    ['a number as a map', { connect: { headers: 5 } }],
    ['nothing in a list', { sub_refresh: { untrack: [null] } }],
  ])('what an untyped caller may pass is refused at the sender: %s', (_name, command) => {
    expect(() => codec.encodeCommand(command as object)).toThrow(
      expect.objectContaining({ code: 'wrong_type' }),
    );
  });

  test('null and undefined are absent, properties that no message has are not sent', () => {
    const command = { id: 1, connect: { token: null, data: undefined, password: 'secret' } };
    const frame = codec.encodeCommand(command as object);
    expect(codec.decodeCommands(frame)).toEqual([{ id: 1, connect: {} }]);
  });
});

test('both formats say the same', () => {
  fc.assert(
    fc.property(arbitraryReply, arbitraryCommand, (reply, command) => {
      expect(jsonCodec.decodeReplies(jsonCodec.encodeReply(reply))).toEqual(
        protobufCodec.decodeReplies(protobufCodec.encodeReply(reply)),
      );
      expect(jsonCodec.decodeCommands(jsonCodec.encodeCommand(command))).toEqual(
        protobufCodec.decodeCommands(protobufCodec.encodeCommand(command)),
      );
    }),
  );
});
