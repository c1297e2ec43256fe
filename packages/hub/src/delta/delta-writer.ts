/** Digits of the numbers in a delta (Fossil delta format: base 64, most significant digit first). */
const digits = new TextEncoder().encode(
  '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~',
);
const newline = 0x0a;
const comma = 0x2c;
const colon = 0x3a;
const semicolon = 0x3b;
const at = 0x40;

/** Output up to this size is written into memory that is used again. */
const reusedBytes = 65_536;
const reused = new Uint8Array(reusedBytes);

/** Digits that a number takes. */
export function digitCount(value: number): number {
  let count = 1;
  for (let rest = value >>> 6; rest > 0; rest >>>= 6) count += 1;
  return count;
}

/**
 * Writes the commands of a delta that must stay below a given size; what comes after the limit is
 * dropped. Only one may be in use at a time.
 */
export class DeltaWriter {
  readonly #target: Uint8Array;
  readonly #output: Uint8Array;
  readonly #limit: number;
  #length = 0;
  #isOverLimit = false;

  /** @param limit the delta must be shorter than this */
  constructor(target: Uint8Array, limit: number) {
    this.#target = target;
    this.#limit = limit;
    this.#output = limit <= reusedBytes ? reused : new Uint8Array(limit);
    this.#number(target.length, newline);
  }

  /** Takes `count` bytes of the base from `offset`. */
  copy(count: number, offset: number): void {
    this.#number(count, at);
    this.#number(offset, comma);
  }

  /** Carries the target's bytes from `start` up to `end`. */
  literal(start: number, end: number): void {
    if (start === end) return;
    this.#number(end - start, colon);
    if (this.#length + end - start >= this.#limit) {
      this.#isOverLimit = true;
      return;
    }
    for (let index = start; index < end; index += 1) {
      this.#output[this.#length] = this.#target[index] ?? 0;
      this.#length += 1;
    }
  }

  /** Ends the delta and returns a copy of it, or undefined when it is not below the limit. */
  end(checksum: number): Uint8Array | undefined {
    this.#number(checksum, semicolon);
    return this.#isOverLimit ? undefined : this.#output.slice(0, this.#length);
  }

  #number(value: number, separator: number): void {
    const count = digitCount(value);
    if (this.#length + count + 1 >= this.#limit) {
      this.#isOverLimit = true;
      return;
    }
    let rest = value;
    for (let index = this.#length + count - 1; index >= this.#length; index -= 1) {
      this.#output[index] = digits[rest & 63] ?? 0;
      rest >>>= 6;
    }
    this.#length += count;
    this.#output[this.#length] = separator;
    this.#length += 1;
  }
}
