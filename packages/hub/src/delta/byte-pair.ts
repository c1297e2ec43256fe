/** Two byte arrays that are compared with each other, four bytes at a time where that is possible. */
export class BytePair {
  readonly base: DataView;
  readonly target: DataView;

  constructor(base: Uint8Array, target: Uint8Array) {
    this.base = new DataView(base.buffer, base.byteOffset, base.byteLength);
    this.target = new DataView(target.buffer, target.byteOffset, target.byteLength);
  }

  /** Bytes that are equal from these starts on, at most `most`. */
  equalAhead(baseStart: number, targetStart: number, most: number): number {
    const { base, target } = this;
    let length = 0;
    while (
      length + 4 <= most &&
      base.getInt32(baseStart + length, true) === target.getInt32(targetStart + length, true)
    ) {
      length += 4;
    }
    while (
      length < most &&
      base.getUint8(baseStart + length) === target.getUint8(targetStart + length)
    ) {
      length += 1;
    }
    return length;
  }

  /** Bytes that are equal before these ends, at most `most`. */
  equalBehind(baseEnd: number, targetEnd: number, most: number): number {
    const { base, target } = this;
    let length = 0;
    while (
      length + 4 <= most &&
      base.getInt32(baseEnd - length - 4, true) === target.getInt32(targetEnd - length - 4, true)
    ) {
      length += 4;
    }
    while (
      length < most &&
      base.getUint8(baseEnd - length - 1) === target.getUint8(targetEnd - length - 1)
    ) {
      length += 1;
    }
    return length;
  }
}
