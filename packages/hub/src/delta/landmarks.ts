import type { BytePair } from './byte-pair.ts';

/** Bytes of one landmark; a match shorter than about twice this may go unseen. */
export const landmarkBytes = 8;

/** Landmarks tried at one place of the target, which bounds the time on repetitive data. */
const maxTries = 16;
/** A match this long is taken without looking for a longer one. */
const longMatchBytes = 128;

/** Tables for this many landmarks are used again, larger ones are made when needed. */
const reusedLandmarks = 8192;
const reusedHeads = new Int32Array(2 * reusedLandmarks);
const reusedChain = new Int32Array(reusedLandmarks);

function hashOf(bytes: DataView, start: number): number {
  return (
    Math.imul(bytes.getInt32(start, true), 0x9e_37_79_b1) ^
    Math.imul(bytes.getInt32(start + 4, true), 0x85_eb_ca_6b)
  );
}

/** A part that base and target have in common. */
export interface Match {
  readonly baseStart: number;
  readonly targetStart: number;
  readonly length: number;
}

/**
 * Finds parts of a base again in a target: every eighth position of a window of the base is
 * remembered by the bytes there. Only one may be in use at a time.
 */
export class Landmarks {
  readonly #pair: BytePair;
  readonly #start: number;
  readonly #shift: number;
  /** First landmark of each hash, plus one. */
  readonly #heads: Int32Array;
  /** Next landmark with the same hash, plus one. */
  readonly #chain: Int32Array;

  /** Remembers the base from `start` up to `end`. */
  constructor(pair: BytePair, start: number, end: number) {
    const count = Math.floor((end - start) / landmarkBytes);
    const bits = Math.max(4, 32 - Math.clz32(count));
    this.#pair = pair;
    this.#start = start;
    this.#shift = 32 - bits;
    if (count <= reusedLandmarks) {
      this.#heads = reusedHeads.fill(0, 0, 2 ** bits);
      this.#chain = reusedChain;
    } else {
      this.#heads = new Int32Array(2 ** bits);
      this.#chain = new Int32Array(count);
    }
    // Backwards, so that of equal landmarks the first is tried first.
    for (let landmark = count - 1; landmark >= 0; landmark -= 1) {
      const slot = this.#slot(hashOf(pair.base, start + landmark * landmarkBytes));
      this.#chain[landmark] = this.#heads[slot] ?? 0;
      this.#heads[slot] = landmark + 1;
    }
  }

  /**
   * The longest match around a position of the target, at which a whole landmark must fit.
   * @param from the match begins here or later
   * @param to the match ends here or earlier
   */
  longestMatch(position: number, from: number, to: number): Match | undefined {
    const pair = this.#pair;
    let length = 0;
    let behind = 0;
    let found = 0;
    let landmark = (this.#heads[this.#slot(hashOf(pair.target, position))] ?? 0) - 1;
    for (let tries = 0; landmark >= 0 && tries < maxTries; tries += 1) {
      const start = this.#start + landmark * landmarkBytes;
      const most = Math.min(to - position, pair.base.byteLength - start);
      const equalAhead = pair.equalAhead(start, position, most);
      if (equalAhead >= landmarkBytes) {
        const equalBehind = pair.equalBehind(start, position, Math.min(position - from, start));
        if (equalBehind + equalAhead > length) {
          length = equalBehind + equalAhead;
          behind = equalBehind;
          found = start;
          if (length >= longMatchBytes) break;
        }
      }
      landmark = (this.#chain[landmark] ?? 0) - 1;
    }
    if (length === 0) return undefined;
    return { baseStart: found - behind, targetStart: position - behind, length };
  }

  #slot(hash: number): number {
    return hash >>> this.#shift;
  }
}
