import {
  type Codec,
  type Format,
  type Publication,
  type Push,
  type Reply,
  codecFor,
  ProtocolError,
} from '@holdfast/protocol';

/** Encodes for one kind of connection: a format, and whether pushes travel bare or inside replies. */
export interface MessageEncoder {
  /** Distinct per encoder, from 0; an index into caches of encoded messages. */
  readonly index: number;
  readonly codec: Codec;
  /** Unidirectional transports carry bare pushes. */
  readonly bare: boolean;
  readonly ping: Uint8Array;
}

function createEncoder(index: number, format: Format, bare: boolean): MessageEncoder {
  const codec = codecFor(format);
  return { index, codec, bare, ping: bare ? codec.encodePush({}) : codec.encodeReply({}) };
}

const encoders = [
  createEncoder(0, 'json', false),
  createEncoder(1, 'protobuf', false),
  createEncoder(2, 'json', true),
  createEncoder(3, 'protobuf', true),
] as const;

let encoderCount: number = encoders.length;

/** For encoders that are made beside those of {@link encoderFor}, a few per process. */
export function nextEncoderIndex(): number {
  encoderCount += 1;
  return encoderCount - 1;
}

export function encoderFor(format: Format, unidirectional: boolean): MessageEncoder {
  return encoders[((format === 'json' ? 0 : 1) + (unidirectional ? 2 : 0)) as 0 | 1 | 2 | 3];
}

export function encodePush(encoder: MessageEncoder, push: Push): Uint8Array {
  return encoder.bare ? encoder.codec.encodePush(push) : encoder.codec.encodeReply({ push });
}

export function encodeReply(encoder: MessageEncoder, reply: Reply): Uint8Array {
  return encoder.codec.encodeReply(reply);
}

/**
 * A push on its way to any number of connections, encoded at most once per kind of connection.
 */
export class SharedPush {
  readonly #push: Push;
  readonly #messages: (Uint8Array | null | undefined)[] = [];

  constructor(push: Push) {
    this.#push = push;
  }

  /** The encoded message, or null when the payload cannot travel in the encoder's format. */
  message(encoder: MessageEncoder): Uint8Array | null {
    const cached = this.#messages[encoder.index];
    if (cached !== undefined) return cached;
    const message = encodeOrNull(encoder, this.#push);
    this.#messages[encoder.index] = message;
    return message;
  }
}

function encodeOrNull(encoder: MessageEncoder, push: Push): Uint8Array | null {
  try {
    return encodePush(encoder, push);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'payload_not_json') return null;
    throw error;
  }
}

/** The members of a publication that clients get to see. */
export function wirePublication(publication: Publication): Publication {
  if (publication.time === undefined) return publication;
  const { time: _kept, ...visible } = publication;
  return visible;
}
