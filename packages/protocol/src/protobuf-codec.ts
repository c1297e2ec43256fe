import {
  type Codec,
  ProtocolError,
  type StreamDecoder,
  type StreamDecoderOptions,
} from './codec.ts';
import type { Command, Reply } from './model.ts';
import { PendingBytes } from './pending-bytes.ts';
import { ProtobufReader, maxPrefixBytes } from './protobuf-reader.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { type MessageSchema, schemas } from './schema.ts';

const writer = new ProtobufWriter();

/** The Protobuf format: every message has its length in front, as a varint. */
export const protobufCodec: Codec = {
  format: 'protobuf',
  encodeReply: (reply) => writer.writeDelimited(schemas.Reply, reply),
  encodePush: (push) => writer.writeDelimited(schemas.Push, push),
  encodeCommand: (command) => writer.writeDelimited(schemas.Command, command),
  joinMessages,
  decodeCommands: (frame) => decodeFrame(schemas.Command, frame),
  decodeReplies: (frame) => decodeFrame(schemas.Reply, frame),
  decodeEmulation: (body) => new ProtobufReader(body).read(schemas.EmulationRequest),
  encodeEmulation: (request) => writer.write(schemas.EmulationRequest, request),
  createReplyDecoder: (options) => new ProtobufStreamDecoder<Reply>(schemas.Reply, options),
  createCommandDecoder: (options) => new ProtobufStreamDecoder<Command>(schemas.Command, options),
};

function joinMessages(messages: readonly Uint8Array[]): Uint8Array {
  const [first] = messages;
  if (messages.length === 1 && first !== undefined) return first;
  let length = 0;
  for (const message of messages) length += message.length;
  const frame = new Uint8Array(length);
  let position = 0;
  for (const message of messages) {
    frame.set(message, position);
    position += message.length;
  }
  return frame;
}

function decodeFrame(schema: MessageSchema, frame: Uint8Array): object[] {
  if (frame.length === 0) throw new ProtocolError('blank_frame', 'a frame is blank');
  const reader = new ProtobufReader(frame);
  const messages: object[] = [];
  while (!reader.isAtEnd) messages.push(reader.readDelimited(schema));
  return messages;
}

class ProtobufStreamDecoder<Message> implements StreamDecoder<Message> {
  readonly #schema: MessageSchema;
  readonly #maxMessageBytes: number;
  readonly #pending: PendingBytes;
  /** The length of the message that is arriving; undefined while its prefix arrives. */
  #messageLength: number | undefined;
  #prefix = 0;
  #prefixBytes = 0;

  constructor(schema: MessageSchema, options: StreamDecoderOptions) {
    this.#schema = schema;
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#pending = new PendingBytes(options.maxMessageBytes);
  }

  get bufferedBytes(): number {
    return this.#pending.length;
  }

  push(chunk: Uint8Array): Message[] {
    const messages: Message[] = [];
    let position = 0;
    for (;;) {
      while (this.#messageLength === undefined) {
        const byte = chunk[position];
        if (byte === undefined) return messages;
        position += 1;
        this.#messageLength = this.#takePrefixByte(byte);
      }
      const end = position + this.#messageLength - this.#pending.length;
      if (end > chunk.length) {
        this.#pending.append(chunk.subarray(position));
        return messages;
      }
      const bytes = this.#pending.takeWith(chunk.subarray(position, end));
      messages.push(new ProtobufReader(bytes).read(this.#schema) as Message);
      position = end;
      this.#messageLength = undefined;
    }
  }

  /** Returns the length when this was the last byte of its prefix. */
  #takePrefixByte(byte: number): number | undefined {
    this.#prefix += (byte & 0x7f) * 2 ** (7 * this.#prefixBytes);
    this.#prefixBytes += 1;
    if (byte >= 0x80) {
      if (this.#prefixBytes < maxPrefixBytes) return undefined;
      throw new ProtocolError('malformed', 'a length prefix has more than 32 bits');
    }
    const length = this.#prefix;
    this.#prefix = 0;
    this.#prefixBytes = 0;
    if (length >= 2 ** 32) {
      throw new ProtocolError('malformed', 'a length prefix has more than 32 bits');
    }
    if (length > this.#maxMessageBytes) {
      throw new ProtocolError(
        'message_too_long',
        `a message of ${this.#schema.name} declares ${length} bytes, more than ${this.#maxMessageBytes}`,
      );
    }
    return length;
  }
}
