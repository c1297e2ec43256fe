import type { JournalRecord } from './journal-record.ts';
import { type JournalSegments, readSegment, type Segment } from './journal-segments.ts';

export interface JournalBatch {
  readonly records: readonly JournalRecord[];
  /** Events right before the first record that were given up and will not come. */
  readonly lost: number;
  /** More records are there; only the limits kept them out. */
  readonly isFull: boolean;
}

export interface BatchLimits {
  readonly maxRecords: number;
  /** Of payload; a single record may be longer. */
  readonly maxBytes: number;
}

interface Position {
  readonly segment: Segment;
  readonly offset: number;
}

/** Reads a journal in order, from the first record that is not acknowledged. */
export class JournalReader {
  readonly #segments: JournalSegments;
  readonly #damaged: (records: number) => void;
  #next: Position | undefined;
  /** Behind the batch that was read last. */
  #behindBatch: Position | undefined;

  /** @param damaged - called with the number of records that damage on the disk cost. */
  constructor(segments: JournalSegments, damaged: (records: number) => void) {
    this.#segments = segments;
    this.#damaged = damaged;
  }

  /**
   * The next records after `acknowledged`, without a gap among them; undefined when there are none.
   * The same again until {@link advance} is called, and what was appended meanwhile.
   */
  async read(acknowledged: number, limits: BatchLimits): Promise<JournalBatch | undefined> {
    const collected = new BatchCollector(acknowledged + 1, limits);
    let position = this.#start(acknowledged + 1);
    while (position !== undefined && !collected.isFull) {
      const { segment, offset } = position;
      const end = await this.#readOn(position, collected);
      this.#behindBatch = { segment, offset: end };
      if (collected.isFull) break;
      if (end > offset) position = { segment, offset: end };
      else position = this.#behind(segment, collected);
    }
    return collected.batch();
  }

  /** The last batch has been acknowledged. */
  advance(): void {
    this.#next = this.#behindBatch;
  }

  #start(sequence: number): Position | undefined {
    if (this.#next !== undefined && this.#segments.has(this.#next.segment)) return this.#next;
    const segment = this.#segments.holding(sequence);
    return segment === undefined ? undefined : { segment, offset: 0 };
  }

  async #readOn({ segment, offset }: Position, collected: BatchCollector): Promise<number> {
    try {
      return await readSegment(segment, offset, (record) => collected.take(record));
    } catch (error) {
      // Given up meanwhile, because the journal is full: go on with the next.
      if (!this.#segments.has(segment)) return offset;
      throw error;
    }
  }

  /** The segment after one that has been read to its end; the newest one is not at its end yet. */
  #behind(segment: Segment, collected: BatchCollector): Position | undefined {
    const next = this.#segments.after(segment);
    if (next === undefined) return undefined;
    const missing = next.firstSequence - collected.expected;
    if (missing > 0 && this.#segments.has(segment)) this.#damaged(missing);
    return { segment: next, offset: 0 };
  }
}

/** Takes records until the batch is full or the next record does not follow. */
class BatchCollector {
  readonly #limits: BatchLimits;
  readonly #first: number;
  readonly #records: JournalRecord[] = [];
  #bytes = 0;
  isFull = false;

  constructor(first: number, limits: BatchLimits) {
    this.#first = first;
    this.#limits = limits;
  }

  /** The sequence that should come next. */
  get expected(): number {
    return (this.#records.at(-1)?.sequence ?? this.#first - 1) + 1;
  }

  take(record: JournalRecord): boolean {
    // Acknowledged before, or written twice because the first write reported a failure.
    if (record.sequence < this.expected) return true;
    if (this.#records.length > 0) {
      const { maxRecords, maxBytes } = this.#limits;
      const isTooMuch =
        this.#records.length >= maxRecords || this.#bytes + record.payload.length > maxBytes;
      // Behind a gap begins a batch of its own, which tells how much is missing.
      if (isTooMuch || record.sequence !== this.expected) {
        this.isFull = true;
        return false;
      }
    }
    this.#records.push(record);
    this.#bytes += record.payload.length;
    return true;
  }

  batch(): JournalBatch | undefined {
    const [first] = this.#records;
    if (first === undefined) return undefined;
    return {
      records: this.#records,
      lost: first.sequence - this.#first,
      isFull: this.isFull,
    };
  }
}
