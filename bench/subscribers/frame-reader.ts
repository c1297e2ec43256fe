/** Receives one whole frame; the payload is a view that is valid only during the call. */
export type OnFrame = (opcode: number, payload: Buffer) => void;

/**
 * Cuts what a server sends into frames (RFC 6455 §5.2), without copying unless a frame arrives in
 * pieces. Knows only what the servers under test send: unmasked, unfragmented, no extensions.
 */
export class FrameReader {
  #rest: Buffer | undefined;

  /** Takes the first `length` bytes of `chunk`; calls `onFrame` for each frame that is complete. */
  read(chunk: Buffer, length: number, onFrame: OnFrame): void {
    let bytes = chunk;
    let limit = length;
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk.subarray(0, length)]);
      limit = bytes.length;
      this.#rest = undefined;
    }
    let at = 0;
    while (limit - at >= 2) {
      const first = bytes[at] ?? 0;
      let size = bytes[at + 1] ?? 0;
      let start = at + 2;
      if ((first & 0xf0) !== 0x80 || size > 127) {
        throw new Error(`Unexpected frame head 0x${bytes.toString('hex', at, at + 2)}`);
      }
      if (size === 126) {
        if (limit - at < 4) break;
        size = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (size === 127) {
        if (limit - at < 10) break;
        size = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (limit - start < size) break;
      onFrame(first & 0x0f, bytes.subarray(start, start + size));
      at = start + size;
    }
    if (at < limit) this.#rest = Buffer.from(bytes.subarray(at, limit));
  }
}

const fixedMask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** One masked frame of a client, FIN set; `payload` up to 65,535 bytes. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const extended = payload.length < 126 ? 0 : 2;
  const frame = Buffer.alloc(2 + extended + 4 + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extended === 0 ? payload.length : 126);
  if (extended === 2) frame.writeUInt16BE(payload.length, 2);
  fixedMask.copy(frame, 2 + extended);
  for (let index = 0; index < payload.length; index += 1) {
    frame[6 + extended + index] = (payload[index] ?? 0) ^ (fixedMask[index % 4] ?? 0);
  }
  return frame;
}
