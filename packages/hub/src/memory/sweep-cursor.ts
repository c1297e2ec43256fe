/**
 * Visits the entries of a map a few at a time, round and round, so that cleaning up a million
 * entries never holds the event loop. Entries may be deleted and added in between and meanwhile.
 */
export class SweepCursor<Key, Value> {
  readonly #map: ReadonlyMap<Key, Value>;
  #iterator: Iterator<[Key, Value]> | undefined;

  constructor(map: ReadonlyMap<Key, Value>) {
    this.#map = map;
  }

  /** Visits the next entries, at most `count`, and stops at the end of a round. */
  visit(count: number, visitor: (key: Key, value: Value) => void): void {
    this.#iterator ??= this.#map.entries();
    for (let visited = 0; visited < count; visited += 1) {
      const next = this.#iterator.next();
      if (next.done) {
        this.#iterator = undefined;
        return;
      }
      visitor(next.value[0], next.value[1]);
    }
  }
}
