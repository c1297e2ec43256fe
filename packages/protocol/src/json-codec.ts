import {
  type Codec,
  ProtocolError,
  type StreamDecoder,
  type StreamDecoderOptions,
} from './codec.ts';
import { readJson } from './json-reader.ts';
import { writeJson } from './json-writer.ts';
import type { Command, EmulationRequest, Reply } from './model.ts';
import { PendingBytes } from './pending-bytes.ts';
import { type MessageSchema, schemas } from './schema.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const lineFeed = 0x0a;

/**
 * The JSON format: one object per line. Application data is embedded as the JSON text that it is,
 * and read back as exactly that text, so numbers keep their digits and objects their order.
 */
export const jsonCodec: Codec = {
  format: 'json',
  encodeReply: (reply) => encodeUtf8(writeJson(schemas.Reply, reply)),
  encodePush: (push) => encodeUtf8(writeJson(schemas.Push, push)),
  encodeCommand: (command) => encodeUtf8(writeJson(schemas.Command, command)),
  joinMessages,
  decodeCommands: (frame) => decodeFrame(schemas.Command, frame),
  decodeReplies: (frame) => decodeFrame(schemas.Reply, frame),
  decodeEmulation,
  encodeEmulation,
  createReplyDecoder: (options) => new JsonStreamDecoder<Reply>(schemas.Reply, options),
  createCommandDecoder: (options) => new JsonStreamDecoder<Command>(schemas.Command, options),
};

function joinMessages(messages: readonly Uint8Array[]): Uint8Array {
  const [first] = messages;
  if (messages.length === 1 && first !== undefined) return first;
  let length = Math.max(0, messages.length - 1);
  for (const message of messages) length += message.length;
  const frame = new Uint8Array(length);
  let position = 0;
  for (const message of messages) {
    if (position > 0) {
      frame[position] = lineFeed;
      position += 1;
    }
    frame.set(message, position);
    position += message.length;
  }
  return frame;
}

function decodeFrame(schema: MessageSchema, frame: Uint8Array): object[] {
  const text = decodeUtf8(frame);
  const content = text.endsWith('\n') ? text.slice(0, -1) : text;
  if (!content.includes('\n')) return [decodeLine(schema, content)];
  return content.split('\n').map((line) => decodeLine(schema, line));
}

function decodeLine(schema: MessageSchema, line: string): object {
  if (line.trim() === '') throw new ProtocolError('blank_frame', 'a frame or line is blank');
  return readJson(schema, line);
}

/** Here, and only here, bytes travel as a JSON string: its text is the commands themselves. */
function encodeEmulation(request: EmulationRequest): Uint8Array {
  const { data, ...rest } = request;
  const quoted = data && encodeUtf8(JSON.stringify(decodeUtf8(data)));
  const body = quoted === undefined ? rest : { ...rest, data: quoted };
  return encodeUtf8(writeJson(schemas.EmulationRequest, body));
}

function decodeEmulation(body: Uint8Array): EmulationRequest {
  const request = decodeLine(schemas.EmulationRequest, decodeUtf8(body)) as EmulationRequest;
  if (request.data === undefined) return request;
  const data: unknown = JSON.parse(decodeUtf8(request.data));
  if (typeof data !== 'string') {
    throw new ProtocolError('wrong_type', 'EmulationRequest.data must be a string of commands');
  }
  return { ...request, data: encodeUtf8(data) };
}

class JsonStreamDecoder<Message> implements StreamDecoder<Message> {
  readonly #schema: MessageSchema;
  readonly #pending: PendingBytes;
  readonly #maxMessageBytes: number;

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
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, start);
      const length = this.#pending.length + (end === -1 ? chunk.length : end) - start;
      if (length > this.#maxMessageBytes) {
        throw new ProtocolError(
          'message_too_long',
          `a message of ${this.#schema.name} is longer than ${this.#maxMessageBytes} bytes`,
        );
      }
      if (end === -1) {
        this.#pending.append(chunk.subarray(start));
        return messages;
      }
      const line = this.#pending.takeWith(chunk.subarray(start, end));
      messages.push(decodeLine(this.#schema, decodeUtf8(line)) as Message);
      start = end + 1;
    }
  }
}
