import type { Codec } from '@holdfast/protocol';

/** Payload of one frame; longer batches become several frames, a longer single message one frame. */
const maxFramePayloadBytes = 65_536;

/** Writes the header of an unmasked, unfragmented data frame (RFC 6455 §5.2) and its payload. */
export function frame(payload: Uint8Array, isBinary: boolean): Buffer {
  const { length } = payload;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headerLength + length);
  bytes[0] = isBinary ? 0x82 : 0x81;
  if (headerLength === 2) {
    bytes[1] = length;
  } else if (headerLength === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.set(payload, headerLength);
  return bytes;
}

/** Cuts a batch so that the payload of each part stays within one frame. */
export function splitBatch(messages: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const parts: Uint8Array[][] = [];
  let size = Infinity;
  for (const message of messages) {
    // One more byte for the separator that JSON puts between messages.
    size += message.length + 1;
    if (size > maxFramePayloadBytes) {
      parts.push([message]);
      size = message.length;
    } else {
      parts.at(-1)?.push(message);
    }
  }
  return parts;
}

/**
 * Frames batches, and remembers the last one: in a fan-out thousands of sessions in a row flush the
 * same messages, and then share one framed buffer.
 */
export class FrameMemo {
  readonly #codec: Codec;
  readonly #joins: boolean;
  #messages: readonly Uint8Array[] = [];
  #framed: Buffer = Buffer.alloc(0);

  /** @param joins Several messages may share a frame; clients of one-way transports take them singly. */
  constructor(codec: Codec, joins = true) {
    this.#codec = codec;
    this.#joins = joins;
  }

  /** All frames of a batch in one buffer, which the caller must not change. */
  frame(messages: readonly Uint8Array[]): Buffer {
    if (!isSameBatch(messages, this.#messages)) {
      this.#framed = this.#build(messages);
      this.#messages = [...messages];
    }
    return this.#framed;
  }

  #build(messages: readonly Uint8Array[]): Buffer {
    const isBinary = this.#codec.format === 'protobuf';
    if (this.#joins) {
      const payload = this.#codec.joinMessages(messages);
      if (payload.length <= maxFramePayloadBytes) return frame(payload, isBinary);
    }
    const parts = this.#joins ? splitBatch(messages) : messages.map((message) => [message]);
    const frames = parts.map((part) => frame(this.#codec.joinMessages(part), isBinary));
    return frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
  }
}

function isSameBatch(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
