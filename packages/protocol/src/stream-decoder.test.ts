import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  type Codec,
  type Command,
  ProtocolError,
  type ProtocolErrorCode,
  type StreamDecoder,
  jsonCodec,
  protobufCodec,
} from './index.ts';
import { arbitraryCommand, arbitraryReply } from './testing/index.ts';

const failsAs = (code: ProtocolErrorCode) => expect.objectContaining({ code });
const bytes = (text: string) => new TextEncoder().encode(text);

/** Everything that a decoder returns for a stream that is cut at these places. */
function pushInChunks<Message>(
  decoder: StreamDecoder<Message>,
  stream: Uint8Array,
  cuts: readonly number[],
): Message[] {
  const messages: Message[] = [];
  const places = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length];
  let start = 0;
  for (const end of places.toSorted((a, b) => a - b)) {
    // A chunk of its own, wiped afterwards: a socket reuses its buffers.
    const chunk = stream.slice(start, end);
    messages.push(...decoder.push(chunk));
    chunk.fill(0x7b);
    start = end;
  }
  return messages;
}

function refusalOf(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Messages as a stream has them: JSON lines are ended, not separated. */
function stream(codec: Codec, messages: readonly Uint8Array[]): Uint8Array {
  const frame = codec.joinMessages(messages);
  return codec === jsonCodec ? Uint8Array.from([...frame, 0x0a]) : frame;
}

const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe.each([jsonCodec, protobufCodec])('a stream of $format', (codec: Codec) => {
  test('has the same messages however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryReply, { minLength: 1, maxLength: 2 }),
        cuts,
        (replies, cuts) => {
          const whole = stream(
            codec,
            replies.map((reply) => codec.encodeReply(reply)),
          );
          const decoder = codec.createReplyDecoder({ maxMessageBytes: 1_000_000 });
          expect(pushInChunks(decoder, whole, cuts)).toEqual(replies);
          expect(decoder.bufferedBytes).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('has the same messages when every byte comes alone', () => {
    fc.assert(
      fc.property(fc.array(arbitraryCommand, { minLength: 1, maxLength: 3 }), (commands) => {
        const whole = stream(
          codec,
          commands.map((command) => codec.encodeCommand(command)),
        );
        const decoder = codec.createCommandDecoder({ maxMessageBytes: 1_000_000 });
        const everywhere = Array.from(whole, (_, index) => index);
        expect(pushInChunks(decoder, whole, everywhere)).toEqual(commands);
      }),
      { numRuns: 20 },
    );
  });

  test('garbage is refused with a protocol error, and never kept beyond the limit', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 10 }), (chunks) => {
        const decoder = codec.createCommandDecoder({ maxMessageBytes: 50 });
        const refusal = refusalOf(() => {
          for (const chunk of chunks) {
            decoder.push(chunk);
            expect(decoder.bufferedBytes).toBeLessThanOrEqual(50);
          }
        });
        expect(refusal === undefined || refusal instanceof ProtocolError).toBe(true);
        expect(decoder.bufferedBytes).toBeLessThanOrEqual(50);
      }),
      { numRuns: 500 },
    );
  });

  test('a message as long as the limit is taken, a longer one is refused', () => {
    const command = { id: 1, publish: { channel: 'a'.repeat(80) } };
    const whole = stream(codec, [codec.encodeCommand(command)]);
    const maxMessageBytes = whole.length - 1;
    for (const chunks of [[], [1], [50], Array.from(whole, (_, index) => index)]) {
      const decoder = codec.createCommandDecoder({ maxMessageBytes });
      expect(pushInChunks(decoder, whole, chunks)).toEqual([command]);
      const strict = codec.createCommandDecoder({ maxMessageBytes: maxMessageBytes - 1 });
      expect(() => pushInChunks(strict, whole, chunks)).toThrow(failsAs('message_too_long'));
    }
  });

  test('the limit is one of messages, not of the stream', () => {
    const command: Command = { id: 1, publish: { channel: 'a'.repeat(40) } };
    const message = codec.encodeCommand(command);
    const whole = stream(
      codec,
      Array.from({ length: 1000 }, () => message),
    );
    const decoder = codec.createCommandDecoder({ maxMessageBytes: message.length });
    expect(decoder.push(whole)).toHaveLength(1000);
  });

  test('a message that comes byte by byte is copied a few times, not once per byte', () => {
    const data = bytes(JSON.stringify('x'.repeat(20_000)));
    const whole = stream(codec, [codec.encodeReply({ id: 1, rpc: { data } })]);
    const decoder = codec.createReplyDecoder({ maxMessageBytes: 2_000_000 });
    using copies = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set');
    const replies = pushInChunks(
      decoder,
      whole,
      Array.from(whole, (_, index) => index),
    );
    const copiedBytes = copies.mock.calls.reduce((sum, [source]) => sum + source.length, 0);
    expect(replies).toHaveLength(1);
    expect(copiedBytes).toBeGreaterThanOrEqual(20_000);
    expect(copiedBytes).toBeLessThan(80_000);
  });

  test('chunks of nothing are nothing', () => {
    const decoder = codec.createReplyDecoder({ maxMessageBytes: 10 });
    expect(decoder.push(new Uint8Array())).toEqual([]);
    expect(decoder.bufferedBytes).toBe(0);
  });
});

describe('a stream of JSON', () => {
  test.each(['\n', '{}\n\n', ' \n', '{}\n\r\n'])('a blank line is refused: %j', (text) => {
    const decoder = jsonCodec.createCommandDecoder({ maxMessageBytes: 10 });
    expect(() => decoder.push(bytes(text))).toThrow(failsAs('blank_frame'));
  });

  test('a character that is cut in two is one character', () => {
    const decoder = jsonCodec.createCommandDecoder({ maxMessageBytes: 100 });
    const line = bytes('{"subscribe":{"channel":"é"}}\n');
    const middle = line.indexOf(0xc3) + 1;
    expect(decoder.push(line.subarray(0, middle))).toEqual([]);
    expect(decoder.push(line.subarray(middle))).toEqual([{ subscribe: { channel: 'é' } }]);
  });
});

describe('a stream of Protobuf', () => {
  const decoder = () => protobufCodec.createCommandDecoder({ maxMessageBytes: 65_536 });

  test('a declared length over the limit is refused before anything of it has come', () => {
    const stream = decoder();
    expect(stream.push(Uint8Array.of(0x81, 0x80))).toEqual([]);
    expect(() => stream.push(Uint8Array.of(0x04))).toThrow(failsAs('message_too_long'));
    expect(stream.bufferedBytes).toBe(0);
  });

  test.each([
    ['of more than five bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0]],
    ['of more than 32 bits', [0xff, 0xff, 0xff, 0xff, 0x10]],
  ])('a length prefix is malformed when it is one %s', (_name, prefix) => {
    expect(() => decoder().push(Uint8Array.from(prefix))).toThrow(failsAs('malformed'));
  });

  test('the largest length of 32 bits is too long, not malformed', () => {
    expect(() => decoder().push(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))).toThrow(
      failsAs('message_too_long'),
    );
  });

  test('a declared length takes no memory until its bytes come', () => {
    const limit = 64 * 1024 * 1024;
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 20 }, () => {
      const stream = protobufCodec.createReplyDecoder({ maxMessageBytes: limit });
      stream.push(Uint8Array.of(0x80, 0x80, 0x80, 0x20, 1));
      return stream;
    });
    expect(decoders.map((stream) => stream.bufferedBytes)).toEqual(decoders.map(() => 1));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(limit);
  });
});
