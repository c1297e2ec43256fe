import type { Command, EmulationRequest, Push, Reply } from './model.ts';

export type Format = 'json' | 'protobuf';

/**
 * One wire format. Codecs are stateless and shared by all connections.
 *
 * A *message* is the encoding of one command, reply or push. In Protobuf it includes its own length
 * prefix; in JSON it has no line break. Either way {@link Codec.joinMessages} makes one frame of
 * several messages without looking into them, which is what lets a publication be encoded once and
 * sent to any number of clients.
 */
export interface Codec {
  readonly format: Format;
  /**
   * Encodes one reply as a message.
   * @throws ProtocolError `payload_not_json` when application data cannot be carried in JSON.
   */
  encodeReply(reply: Reply): Uint8Array;
  /** Encodes a bare push, the message of unidirectional transports. @throws as {@link encodeReply}. */
  encodePush(push: Push): Uint8Array;
  /** Encodes one command; the client side, used by tests, the load generator and the doctor. */
  encodeCommand(command: Command): Uint8Array;
  /** Concatenates messages into one frame. The result may be one of the arguments itself. */
  joinMessages(messages: readonly Uint8Array[]): Uint8Array;
  /**
   * Decodes a complete frame.
   * @throws ProtocolError when any message of the frame is blank, malformed or of the wrong type.
   */
  decodeCommands(frame: Uint8Array): Command[];
  decodeReplies(frame: Uint8Array): Reply[];
  /** @throws ProtocolError when the body is malformed. */
  decodeEmulation(body: Uint8Array): EmulationRequest;
  encodeEmulation(request: EmulationRequest): Uint8Array;
  createReplyDecoder(options: StreamDecoderOptions): StreamDecoder<Reply>;
  createCommandDecoder(options: StreamDecoderOptions): StreamDecoder<Command>;
}

export interface StreamDecoderOptions {
  /** Largest message accepted, in bytes. A longer one is refused before it is buffered. */
  readonly maxMessageBytes: number;
}

/** Decodes messages out of a byte stream that is cut anywhere. */
export interface StreamDecoder<Message> {
  /**
   * Takes the next bytes and returns the messages they complete.
   * @throws ProtocolError `message_too_long` as soon as the length is known to be over the limit
   * (declared in Protobuf, reached in JSON), or as {@link Codec.decodeCommands}. After a throw the
   * decoder must not be used again.
   */
  push(chunk: Uint8Array): Message[];
  /** Bytes held for an unfinished message; never more than `maxMessageBytes`. */
  readonly bufferedBytes: number;
}

export type ProtocolErrorCode =
  | 'blank_frame'
  | 'malformed'
  | 'wrong_type'
  | 'message_too_long'
  | 'payload_not_json'
  | 'too_deep';

/** The peer broke the protocol, or a payload cannot travel in this format. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
