import type { Publication } from '@holdfast/protocol';
import type { Clock } from '../clock.ts';
import type { HistoryFilter, Position } from '../ports/broker.ts';
import type {
  ChannelRecord,
  JournaledPublication,
  JournaledStream,
} from '../ports/channel-journal.ts';
import { toMonotonic, toUnix } from './wall-clock.ts';

/** A publication as a stream keeps it. */
export type StoredPublication = JournaledPublication;

/** The part of a stream that is asked for. */
export type StreamRange = Pick<HistoryFilter, 'sinceOffset' | 'limit' | 'reverse'>;

/** What a stream and a publication cost beyond their data, measured on Node 24 and rounded up. */
const streamBytes = 300;
const publicationBytes = 300;

/** A meta deadline that reads moved is journaled again when it moved by this part of what is left of it. */
const metaDeadlineSlack = 1 / 8;

/** What a journal needs to know of a stream. */
export interface UnsavedStream {
  /** The journal knows nothing of this stream, or of an earlier one only. */
  readonly startsOver: boolean;
  readonly stream: JournaledStream;
  readonly publications: readonly StoredPublication[];
}

function sizeOf(publication: Publication): number {
  return publicationBytes + (publication.data?.length ?? 0);
}

/**
 * One channel's stream: publications in offset order, dropped from the front. Appending and reading
 * a range cost no more than what they move. All times are the clock's monotonic milliseconds, and
 * every method first drops what has expired by then.
 */
export class MemoryStream {
  readonly epoch: string;
  /** Offset of the newest publication ever appended. */
  top = 0;
  /** What this stream is charged against the memory budget. */
  bytes: number = streamBytes;
  /** Highest version accepted, 0 when none was given yet, within {@link versionEpoch}. */
  version = 0;
  versionEpoch = '';
  /** When the stream as a whole, with its epoch, is forgotten. */
  metaDeadline = 0;
  /** Read or written since eviction last looked at it. */
  isUsed = true;

  /** Live from {@link #head}; the slots before it are empty and reclaimed in bulk. */
  #publications: (StoredPublication | undefined)[] = [];
  #head = 0;
  #deadline = 0;
  /** What the journal has; undefined when it does not know this stream. */
  #saved:
    | { readonly top: number; readonly oldest: number; readonly metaDeadline: number }
    | undefined;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** A stream as a journal has it. */
  static restore(
    stream: JournaledStream,
    publications: ChannelRecord['publications'],
    clock: Clock,
  ): MemoryStream {
    const restored = new MemoryStream(stream.epoch);
    restored.top = stream.top;
    restored.version = stream.version;
    restored.versionEpoch = stream.versionEpoch;
    restored.metaDeadline = toMonotonic(stream.forgetAt, clock);
    restored.#deadline = toMonotonic(stream.expireAt, clock);
    restored.#publications = [...publications];
    for (const publication of publications) restored.bytes += sizeOf(publication);
    restored.expire(clock.monotonic());
    return restored;
  }

  get length(): number {
    return this.#publications.length - this.#head;
  }

  get position(): Position {
    return { offset: this.top, epoch: this.epoch };
  }

  /** Whether {@link takeUnsaved} would find something. */
  hasUnsaved(now: number): boolean {
    const saved = this.#saved;
    if (saved?.top !== this.top || saved.oldest !== this.#oldest) return true;
    const slack = Math.max(0, saved.metaDeadline - now) * metaDeadlineSlack;
    return this.metaDeadline - saved.metaDeadline > slack;
  }

  /** What the journal does not have; from now on it counts as having it. */
  takeUnsaved(clock: Clock): UnsavedStream {
    const saved = this.#saved;
    this.markSaved();
    return {
      startsOver: saved === undefined,
      stream: this.#journaled(clock),
      publications: this.#slice(Math.max(this.#oldest, (saved?.top ?? 0) + 1), this.top),
    };
  }

  /** All of it. */
  record(clock: Clock): Pick<UnsavedStream, 'stream' | 'publications'> {
    this.expire(clock.monotonic());
    return { stream: this.#journaled(clock), publications: this.#slice(this.#oldest, this.top) };
  }

  #journaled(clock: Clock): JournaledStream {
    return {
      epoch: this.epoch,
      top: this.top,
      oldest: this.#oldest,
      version: this.version,
      versionEpoch: this.versionEpoch,
      expireAt: toUnix(this.#deadline, clock),
      forgetAt: toUnix(this.metaDeadline, clock),
    };
  }

  /** The journal has all of this. */
  markSaved(): void {
    this.#saved = { top: this.top, oldest: this.#oldest, metaDeadline: this.metaDeadline };
  }

  /** Offset of the oldest publication kept, or of the next one. */
  get #oldest(): number {
    return this.top - this.length + 1;
  }

  /** The newest publication, unless it has expired or was removed. */
  latest(now: number): StoredPublication | undefined {
    this.expire(now);
    return this.length > 0 ? this.#publications.at(-1) : undefined;
  }

  /** Appends with the next offset and keeps at most `size` publications until `deadline`. */
  append<Kind extends Publication>(
    publication: Kind,
    time: number,
    { now, size, deadline }: { now: number; size: number; deadline: number },
  ): Kind & StoredPublication {
    this.expire(now);
    this.top += 1;
    const stored = { ...publication, offset: this.top, time: publication.time ?? time };
    this.#publications.push(stored);
    this.bytes += sizeOf(stored);
    this.#deadline = deadline;
    this.#trim(size);
    return stored;
  }

  /** Drops the oldest publication, but never the newest. Returns whether there was one to drop. */
  dropOldest(): boolean {
    if (this.length < 2) return false;
    this.#trim(this.length - 1);
    return true;
  }

  /** Drops every publication; epoch and top stay. */
  clear(): void {
    this.#publications = [];
    this.#head = 0;
    this.bytes = streamBytes;
  }

  /** Drops the publications when their time is over. */
  expire(now: number): void {
    if (now >= this.#deadline && this.#publications.length > 0) this.clear();
  }

  read({ sinceOffset, limit, reverse }: StreamRange, now: number): readonly StoredPublication[] {
    this.expire(now);
    if (limit === 0 || this.length === 0) return [];
    const most = limit < 0 ? this.length : limit;
    const first = this.#oldest;
    if (reverse) {
      const newest = Math.min(this.top, (sinceOffset ?? Infinity) - 1);
      const oldest = Math.max(first, newest - most + 1);
      return this.#slice(oldest, newest).toReversed();
    }
    const oldest = Math.max(first, (sinceOffset ?? 0) + 1);
    return this.#slice(oldest, Math.min(this.top, oldest + most - 1));
  }

  /** Both ends included. */
  #slice(oldest: number, newest: number): StoredPublication[] {
    if (newest < oldest) return [];
    const start = this.#publications.length - 1 - (this.top - oldest);
    // Slots at and after the head are never empty.
    return this.#publications.slice(start, start + newest - oldest + 1) as StoredPublication[];
  }

  #trim(size: number): void {
    while (this.length > size) {
      const oldest = this.#publications[this.#head];
      if (oldest) this.bytes -= sizeOf(oldest);
      this.#publications[this.#head] = undefined;
      this.#head += 1;
    }
    // Moving the rest once per `length` drops keeps the cost of one drop constant.
    if (this.#head > 32 && this.#head > this.length) {
      this.#publications = this.#publications.slice(this.#head);
      this.#head = 0;
    }
  }
}
