/** Where something stands in an order by score. */
export interface Ranked {
  readonly score: number;
  readonly key: string;
}

/** Chunks are split above this size: moving their items is what an insertion costs. */
const maxChunkLength = 512;

/** Highest score first, equal scores by key. */
function compare(a: Ranked, b: Ranked): number {
  if (a.score !== b.score) return a.score > b.score ? -1 : 1;
  if (a.key === b.key) return 0;
  return a.key < b.key ? -1 : 1;
}

/**
 * Items in the order of their scores, kept sorted while they come and go: a page costs what it
 * returns, an insertion a few microseconds among a million. Score and key of an item must not change
 * while it is in here.
 */
export class ScoreOrder<Item extends Ranked> {
  /** Sorted within and among each other; empty ones only when there is nothing at all. */
  readonly #chunks: Item[][] = [[]];

  insert(item: Item): void {
    const [chunkIndex, index] = this.#place(item);
    const chunk = this.#chunks[chunkIndex] ?? [];
    chunk.splice(index, 0, item);
    if (chunk.length > maxChunkLength) {
      this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(maxChunkLength / 2));
    }
  }

  delete(item: Item): void {
    const [chunkIndex, index] = this.#place(item);
    const chunk = this.#chunks[chunkIndex];
    if (chunk?.[index] !== item) return;
    chunk.splice(index, 1);
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunkIndex, 1);
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#chunks.push([]);
  }

  /** All items after `after`, which need not be one of them; lowest score first when `reverse`. */
  *walk(after: Ranked | undefined, reverse: boolean): Generator<Item, void, undefined> {
    const chunks = this.#chunks;
    if (reverse) {
      const [start, end] = after ? this.#place(after) : [chunks.length - 1, Infinity];
      for (let chunkIndex = start; chunkIndex >= 0; chunkIndex -= 1) {
        const chunk = chunks[chunkIndex] ?? [];
        const last = chunkIndex === start ? Math.min(end, chunk.length) - 1 : chunk.length - 1;
        for (let index = last; index >= 0; index -= 1) yield chunk[index] as Item;
      }
      return;
    }
    const [start, first] = after ? this.#place(after) : [0, 0];
    for (let chunkIndex = start; chunkIndex < chunks.length; chunkIndex += 1) {
      const chunk = chunks[chunkIndex] ?? [];
      for (let index = chunkIndex === start ? first : 0; index < chunk.length; index += 1) {
        const item = chunk[index] as Item;
        if (after === undefined || compare(item, after) !== 0) yield item;
      }
    }
  }

  /** Chunk and index of the first item that is not before `ranked`. */
  #place(ranked: Ranked): readonly [chunkIndex: number, index: number] {
    const chunks = this.#chunks;
    const chunkIndex = Math.min(
      firstWhere(chunks.length, (index) => {
        const last = chunks[index]?.at(-1);
        return last === undefined || compare(last, ranked) >= 0;
      }),
      chunks.length - 1,
    );
    const chunk = chunks[chunkIndex] ?? [];
    const index = firstWhere(chunk.length, (index) => compare(chunk[index] as Item, ranked) >= 0);
    return [chunkIndex, index];
  }
}

/** The first index for which `isAtOrAfter` holds, `length` when there is none; by bisection. */
function firstWhere(length: number, isAtOrAfter: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isAtOrAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
