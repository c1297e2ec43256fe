import { jsonCodec, protobufCodec, type Codec } from '@holdfast/protocol';
import { encodeFrame, opcodes } from './frame.ts';

/** A command that an echo hub answers with the very same bytes. */
export interface EchoMessage {
  readonly opcode: number;
  readonly payload: Buffer;
}

let lastId = 1;

/**
 * An `rpc` command in JSON. `content` becomes the inside of a JSON string: anything but control
 * characters, quotes and backslashes. Each message has an own id, so that answers can be told apart.
 */
export function jsonEcho(content: Uint8Array | string): EchoMessage {
  lastId += 1;
  const payload = Buffer.concat([
    Buffer.from(`{"id":${lastId},"rpc":{"data":"`),
    Buffer.from(content),
    Buffer.from('"}}'),
  ]);
  return { opcode: opcodes.text, payload };
}

/** A message whose payload, and so that of its answer, has exactly `bytes` bytes. */
export function jsonEchoOfSize(bytes: number): EchoMessage {
  const content = 'x'.repeat(bytes - jsonEcho('').payload.length);
  const message = jsonEcho(content);
  // The id can have got one digit more than the one that was measured with.
  const excess = message.payload.length - bytes;
  return excess === 0 ? message : jsonEcho(content.slice(excess));
}

/** An `rpc` command in Protobuf, in a binary message. */
export function protobufEcho(data: Uint8Array): EchoMessage {
  lastId += 1;
  const payload = Buffer.from(protobufCodec.encodeCommand({ id: lastId, rpc: { data } }));
  return { opcode: opcodes.binary, payload };
}

/** A format in which commands and replies travel. */
export interface EchoFormat {
  readonly subprotocol: string;
  readonly codec: Codec;
  /** The type of its frames. */
  readonly opcode: number;
  /** Some message. */
  echo(): EchoMessage;
  /** Cuts what came in one frame into replies. */
  split(payload: Buffer): readonly Buffer[];
}

export const jsonFormat: EchoFormat = {
  subprotocol: 'centrifuge-json',
  codec: jsonCodec,
  opcode: opcodes.text,
  echo: () => jsonEcho('something'),
  split: (payload) =>
    payload
      .toString('latin1')
      .split('\n')
      .map((line) => Buffer.from(line, 'latin1')),
};

export const protobufFormat: EchoFormat = {
  subprotocol: 'centrifuge-protobuf',
  codec: protobufCodec,
  opcode: opcodes.binary,
  echo: () => protobufEcho(Buffer.from('something')),
  split: (payload) =>
    protobufCodec
      .decodeReplies(payload)
      .map((reply) => Buffer.from(protobufCodec.encodeReply(reply))),
};

/** The message in one frame. */
export function frameOf({ opcode, payload }: EchoMessage): Buffer {
  return encodeFrame({ opcode, payload });
}

/** The message in fragments that end at the given positions of its payload, and a last one. */
export function fragmentsOf({ opcode, payload }: EchoMessage, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts, payload.length];
  let start = 0;
  return ends.map((end, index) => {
    const fragment = encodeFrame({
      opcode: index === 0 ? opcode : opcodes.continuation,
      fin: index === ends.length - 1,
      payload: payload.subarray(start, end),
    });
    start = end;
    return fragment;
  });
}
