/**
 * The bytes of one unfinished message of a stream. Grows by doubling, so that a message that arrives
 * byte by byte costs as much copying as one that arrives at once, and gives its memory back with
 * every message. The caller keeps its length within `maxLength`.
 */
export class PendingBytes {
  readonly #maxLength: number;
  #bytes = new Uint8Array();
  #length = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies `bytes`; the caller may reuse them. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(
        Math.max(length, Math.min(this.#bytes.length * 2, this.#maxLength)),
      );
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /**
   * Everything held followed by `bytes`, and holds nothing from then on. The result is `bytes` itself
   * when nothing was held.
   */
  takeWith(bytes: Uint8Array): Uint8Array {
    if (this.#length === 0) return bytes;
    this.append(bytes);
    const whole = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array();
    this.#length = 0;
    return whole;
  }
}
