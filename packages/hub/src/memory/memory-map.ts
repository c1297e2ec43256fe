import { ReplyError } from '@holdfast/protocol';
import type { Position } from '../ports/broker.ts';
import type { MapPublication, MapRetention, MapStateFilter } from '../ports/map-broker.ts';
import { neverDue, type Sleeper } from '../timer-wheel.ts';
import type { MemoryStream } from './memory-stream.ts';
import { ScoreOrder, type Ranked } from './score-order.ts';

/** What a channel and a key cost beyond their data, measured on Node 24 and rounded up. */
const mapBytes = 1000;
const entryBytes = 600;

/** One key of a channel. A key that comes back after it was removed is a new entry. */
export class MapEntry implements Ranked, Sleeper {
  readonly map: MemoryMap;
  readonly key: string;
  publication: MapPublication;
  score: number;
  /** Highest version accepted, 0 when none was given yet, within {@link versionEpoch}. */
  version = 0;
  versionEpoch = '';
  /** Subscribers were sent something else than the value. */
  isIncremental = false;
  /** Monotonic milliseconds. */
  deadline: number = Infinity;
  wakeTick: number = neverDue;

  constructor(map: MemoryMap, publication: MapPublication) {
    this.map = map;
    this.key = publication.key;
    this.publication = publication;
    this.score = publication.score ?? 0;
  }

  wake(now: number): number {
    if (now < this.deadline) return this.deadline;
    this.map.expire(this);
    return Infinity;
  }
}

/** The keys of one channel, in the order of their scores. */
export class MemoryMap {
  readonly channel: string;
  /** Absent while the channel has been used without a stream only. */
  stream: MemoryStream | undefined;
  /** When a map without keys, with its epoch, is forgotten. Monotonic milliseconds. */
  metaDeadline = 0;
  /** As the channel was last used with: expiry has no caller who would say. */
  retention: MapRetention = { streamSize: 0, streamTtlMs: 0, keyTtlMs: 0, metaTtlMs: 0 };
  /** The part of {@link bytes} that the budget knows of. */
  settledBytes = 0;
  /** Keys whose entries the journal does not have as they are; undefined when there is nothing to journal. */
  unsavedKeys: Set<string> | undefined;
  /** Whether the journal has this map, and not only an earlier one. */
  isJournaled = false;

  readonly #entries = new Map<string, MapEntry>();
  readonly #order = new ScoreOrder<MapEntry>();
  readonly #onExpired: (entry: MapEntry) => void;
  #entryBytes = 0;
  /** No entry expires before this. Touches leave it behind until the next look at every entry. */
  #earliestDeadline = Infinity;

  constructor(channel: string, onExpired: (entry: MapEntry) => void) {
    this.channel = channel;
    this.#onExpired = onExpired;
  }

  /** What this channel is charged against the memory budget. */
  get bytes(): number {
    return mapBytes + this.#entryBytes + (this.stream?.bytes ?? 0);
  }

  /** Top of the stream; undefined when the channel keeps none. */
  get position(): Position | undefined {
    return this.retention.streamSize > 0 ? this.stream?.position : undefined;
  }

  /** Keys held, also those that have expired and wait to be removed. */
  get size(): number {
    return this.#entries.size;
  }

  /** What a publication costs once it is the value of its key and, with a stream, a change in it. */
  costOf(publication: MapPublication): number {
    const size = sizeOf(publication);
    const earlier = this.#entries.get(publication.key);
    const hasGrowingStream = this.stream && this.stream.length < this.retention.streamSize;
    return size - (earlier ? sizeOf(earlier.publication) : 0) + (hasGrowingStream ? size : 0);
  }

  entries(): IterableIterator<MapEntry> {
    return this.#entries.values();
  }

  /** The entry of a key whose time is not over. */
  get(key: string, now: number): MapEntry | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.deadline > now ? entry : undefined;
  }

  /** Adds a key that has no entry. */
  add(publication: MapPublication): MapEntry {
    const entry = new MapEntry(this, publication);
    this.#entries.set(entry.key, entry);
    this.#order.insert(entry);
    this.#entryBytes += sizeOf(publication);
    this.unsavedKeys?.add(entry.key);
    return entry;
  }

  /** Gives a key another value. */
  replace(entry: MapEntry, publication: MapPublication): void {
    this.#entryBytes += sizeOf(publication) - sizeOf(entry.publication);
    this.unsavedKeys?.add(entry.key);
    entry.publication = publication;
    const score = publication.score ?? 0;
    if (entry.score === score) return;
    this.#order.delete(entry);
    entry.score = score;
    this.#order.insert(entry);
  }

  /** Gives an entry its full time from `now` on. */
  renew(entry: MapEntry, now: number): void {
    const { keyTtlMs } = this.retention;
    this.limit(entry, keyTtlMs > 0 ? now + keyTtlMs : Infinity);
  }

  /** Lets an entry live until `deadline`. */
  limit(entry: MapEntry, deadline: number): void {
    entry.deadline = deadline;
    this.unsavedKeys?.add(entry.key);
    this.#earliestDeadline = Math.min(this.#earliestDeadline, entry.deadline);
  }

  delete(entry: MapEntry): void {
    this.#entries.delete(entry.key);
    this.#order.delete(entry);
    this.#entryBytes -= sizeOf(entry.publication);
    this.unsavedKeys?.add(entry.key);
  }

  /** Drops every key, so that none of them is reported when its time would have been over. */
  clear(): void {
    this.#entries.clear();
    this.#order.clear();
    this.#entryBytes = 0;
  }

  /** Whether this is what its key has. */
  holds(entry: MapEntry): boolean {
    return this.#entries.get(entry.key) === entry;
  }

  /** Reports an entry whose time is over, unless something else happened to its key meanwhile. */
  expire(entry: MapEntry): void {
    if (this.holds(entry)) this.#onExpired(entry);
  }

  /** Keys whose time is not over; looks at every one only when one may have expired. */
  count(now: number): number {
    if (now < this.#earliestDeadline) return this.#entries.size;
    let count = 0;
    let earliest = Infinity;
    for (const { deadline } of this.#entries.values()) {
      if (deadline > now) count += 1;
      earliest = Math.min(earliest, deadline);
    }
    this.#earliestDeadline = earliest;
    return count;
  }

  page(
    { limit, cursor = '', untilOffset = Infinity, asc = false }: MapStateFilter,
    now: number,
  ): { readonly entries: readonly MapPublication[]; readonly cursor: string } {
    const after = cursor === '' ? undefined : parseCursor(cursor);
    const entries: MapPublication[] = [];
    if (limit === 0) return { entries, cursor };
    let last: MapEntry | undefined;
    for (const entry of this.#order.walk(after, asc)) {
      if (entry.deadline <= now || (entry.publication.offset ?? 0) > untilOffset) continue;
      // There is one more: only now it is known that this page is not the last.
      if (last && entries.length === limit) return { entries, cursor: formatCursor(last) };
      entries.push(entry.publication);
      last = entry;
    }
    return { entries, cursor: '' };
  }
}

function sizeOf({ key, data, tags }: MapPublication): number {
  let size = entryBytes + 2 * key.length + (data?.length ?? 0);
  for (const name in tags) size += 2 * (name.length + (tags[name]?.length ?? 0));
  return size;
}

function formatCursor({ score, key }: Ranked): string {
  return `${score}:${key}`;
}

function parseCursor(cursor: string): Ranked {
  const end = cursor.indexOf(':');
  const score = Number(cursor.slice(0, end));
  if (end <= 0 || !Number.isFinite(score)) {
    throw new ReplyError(
      107,
      'bad request: the cursor is not one that a page of the map ended with',
    );
  }
  return { score, key: cursor.slice(end + 1) };
}
