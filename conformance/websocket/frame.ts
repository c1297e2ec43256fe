/**
 * WebSocket frames as bytes (RFC 6455 §5.2): an encoder that can be told to break every rule, and a
 * decoder that forgives nothing.
 *
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

export const opcodes = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

export interface FrameSettings {
  readonly opcode: number;
  /** @defaultValue empty */
  readonly payload?: Uint8Array | string;
  /** @defaultValue true */
  readonly fin?: boolean;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. @defaultValue 0 */
  readonly rsv?: number;
  /** Four bytes, or `null` for an unmasked frame. @defaultValue a fixed key */
  readonly mask?: readonly [number, number, number, number] | null;
  /** How many bits tell the length. @defaultValue the fewest that can */
  readonly lengthBits?: 7 | 16 | 64;
  /** What the head claims. @defaultValue the payload's length */
  readonly declaredLength?: bigint;
}

const defaultMask = [0x9a, 0x3c, 0x51, 0xe7] as const;

function fewestLengthBits(length: bigint): 7 | 16 | 64 {
  if (length < 126n) return 7;
  return length < 65_536n ? 16 : 64;
}

function encodeLength(length: bigint, bits: 7 | 16 | 64): Buffer {
  if (bits === 7) return Buffer.from([Number(length)]);
  const bytes = Buffer.alloc(bits === 16 ? 3 : 9);
  bytes[0] = bits === 16 ? 126 : 127;
  if (bits === 16) bytes.writeUInt16BE(Number(length), 1);
  else bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

/** A frame as a client sends it, unless told otherwise. */
export function encodeFrame(settings: FrameSettings): Buffer {
  const { opcode, fin = true, rsv = 0, mask = defaultMask } = settings;
  const payload = Buffer.from(settings.payload ?? '');
  const declared = settings.declaredLength ?? BigInt(payload.length);
  const length = encodeLength(declared, settings.lengthBits ?? fewestLengthBits(declared));
  const first = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode]);
  if (mask === null) return Buffer.concat([first, length, payload]);
  length[0] = (length[0] ?? 0) | 0x80;
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([first, length, Buffer.from(mask), masked]);
}

/** The payload of a close frame (RFC 6455 §5.5.1). */
export function closePayload(code: number, reason: Uint8Array | string = ''): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return Buffer.concat([bytes, Buffer.from(reason)]);
}

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/**
 * Cuts one frame off the front of what a server sent; `undefined` when it is not complete yet.
 * @throws Error when the frame is not what a server may send to a client, whose only possible
 * extension is permessage-deflate. No
 * server under test fragments its messages, so a fragment is an error as well.
 */
export function decodeServerFrame(
  bytes: Buffer,
  mayCompress: boolean,
): { frame: Frame; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes[0] ?? 0;
  const second = bytes[1] ?? 0;
  const opcode = first & 0x0f;
  const isCompressed = mayCompress && isData(opcode) && (first & 0x70) === 0x40;
  if ((first & 0x70) !== 0 && !isCompressed) {
    throw new Error(`reserved bits are set in ${first.toString(16)}`);
  }
  if ((first & 0x80) === 0) throw new Error('the server fragmented a message');
  if ((second & 0x80) !== 0) throw new Error('the server masked a frame (§5.1 forbids it)');
  if (!Object.values<number>(opcodes).includes(opcode) || opcode === opcodes.continuation) {
    throw new Error(`unexpected opcode ${opcode}`);
  }
  const extended = second === 126 ? 2 : second === 127 ? 8 : 0;
  if (opcode >= opcodes.close && extended > 0) throw new Error('a control frame is too long');
  if (bytes.length < 2 + extended) return undefined;
  let length = second;
  if (extended === 2) length = bytes.readUInt16BE(2);
  if (extended === 8) length = Number(bytes.readBigUInt64BE(2));
  if (extended > 0 && length < (extended === 2 ? 126 : 65_536)) {
    throw new Error(`a length of ${length} is not told in the fewest bytes`);
  }
  const size = 2 + extended + length;
  if (bytes.length < size) return undefined;
  const raw = Buffer.from(bytes.subarray(2 + extended, size));
  const payload = isCompressed ? inflate(raw) : raw;
  if (opcode === opcodes.text && !isUtf8(payload)) throw new Error('a text frame is not UTF-8');
  if (opcode === opcodes.close) checkClose(payload);
  return { frame: { opcode, payload }, size };
}

function isData(opcode: number): boolean {
  return opcode === opcodes.text || opcode === opcodes.binary;
}

/** What a compressor cuts off the end of every message, and a decompressor puts back. */
const deflateTail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** RFC 7692 §7.2.2. */
function inflate(payload: Buffer): Buffer {
  return inflateRawSync(Buffer.concat([payload, deflateTail]), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

/** RFC 7692 §7.2.1. */
export function deflate(payload: Uint8Array | string): Buffer {
  const deflated = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
  return deflated.subarray(0, -deflateTail.length);
}

function checkClose(payload: Buffer): void {
  if (payload.length === 1) throw new Error('a close frame has half a code');
  if (!isUtf8(payload.subarray(2))) throw new Error('a close reason is not UTF-8');
}
