import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '@holdfast/store';
import { decodeRecord, type JournalRecord } from './journal-record.ts';

/** One file of the journal; its name is the sequence of its first record. */
export interface Segment {
  readonly firstSequence: number;
  readonly path: string;
  /** Bytes that may be read. */
  size: number;
}

/** The segment that is written. */
export interface OpenSegment {
  readonly segment: Segment;
  readonly file: FileHandle;
}

const namePattern = /^(\d{16})\.log$/;

/** The files of a journal, oldest first. Only the newest is written. */
export class JournalSegments {
  readonly #folder: string;
  readonly #segments: Segment[];

  private constructor(folder: string, segments: Segment[]) {
    this.#folder = folder;
    this.#segments = segments;
  }

  static async open(folder: string): Promise<JournalSegments> {
    makeFolder(folder);
    const segments: Segment[] = [];
    for (const name of (await readdir(folder)).toSorted()) {
      const match = namePattern.exec(name);
      if (match === null) continue;
      const file = path.join(folder, name);
      const { size } = await stat(file);
      segments.push({ firstSequence: Number(match[1]), path: file, size });
    }
    return new JournalSegments(folder, segments);
  }

  get oldest(): Segment | undefined {
    return this.#segments[0];
  }

  get newest(): Segment | undefined {
    return this.#segments.at(-1);
  }

  get totalBytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  /** The segment that has the record, or would have it; the oldest when it is older than all. */
  holding(sequence: number): Segment | undefined {
    return (
      this.#segments.findLast((segment) => segment.firstSequence <= sequence) ?? this.#segments[0]
    );
  }

  has(segment: Segment): boolean {
    return this.#segments.includes(segment);
  }

  after(segment: Segment): Segment | undefined {
    return this.#segments.find(({ firstSequence }) => firstSequence > segment.firstSequence);
  }

  /** Begins a new file for the record `firstSequence`; an empty one of that name is used again. */
  async create(firstSequence: number): Promise<OpenSegment> {
    const name = `${String(firstSequence).padStart(16, '0')}.log`;
    const segment: Segment = { firstSequence, path: path.join(this.#folder, name), size: 0 };
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
    const file = await open(segment.path, flags, 0o600);
    if (this.newest?.firstSequence === firstSequence) this.#segments.pop();
    this.#segments.push(segment);
    await this.#syncFolder();
    return { segment, file };
  }

  async remove(segment: Segment): Promise<void> {
    const index = this.#segments.indexOf(segment);
    if (index !== -1) this.#segments.splice(index, 1);
    await unlink(segment.path);
  }

  /** Makes the directory entry of a new file survive a power failure. */
  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

const readAheadBytes = 131_072;

/**
 * Reads the records of a segment from a byte offset on, until `take` says enough, or the bytes end, or
 * something is no whole record: damaged, or not written to its end before a crash.
 *
 * @param take - gets each record and the offset behind it; false leaves the record for the next time.
 * @returns the offset of the first record that was not taken.
 */
export async function readSegment(
  segment: Segment,
  from: number,
  take: (record: JournalRecord) => boolean,
): Promise<number> {
  const handle = await open(segment.path, constants.O_RDONLY);
  try {
    let position = from;
    let chunkBytes = readAheadBytes;
    for (;;) {
      const wanted = Math.min(chunkBytes, segment.size - position);
      if (wanted <= 0) return position;
      const buffer = Buffer.allocUnsafe(wanted);
      const { bytesRead } = await handle.read(buffer, 0, wanted, position);
      const bytes = buffer.subarray(0, bytesRead);
      let offset = 0;
      let record = decodeRecord(bytes, offset);
      while (typeof record === 'object') {
        if (!take(record)) return position + offset;
        offset = record.end;
        record = decodeRecord(bytes, offset);
      }
      if (record === 'damaged') return position + offset;
      // A record may be longer than the chunk; then a longer chunk is needed, unless there is no more.
      if (offset === 0 && (bytesRead < wanted || wanted < chunkBytes)) return position;
      chunkBytes = offset === 0 ? chunkBytes * 2 : readAheadBytes;
      position += offset;
    }
  } finally {
    await handle.close();
  }
}

/** The sequence of the last whole record of a segment; undefined when it has none. */
export async function lastSequenceOf(segment: Segment): Promise<number | undefined> {
  let last: number | undefined;
  await readSegment(segment, 0, ({ sequence }) => {
    last = sequence;
    return true;
  });
  return last;
}
