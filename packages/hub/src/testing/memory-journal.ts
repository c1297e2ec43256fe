import type { Clock } from '../clock.ts';
import type { ChannelChange, ChannelJournal, ChannelRecord } from '../ports/channel-journal.ts';

/** What journals in memory write to; it outlives the hubs that use it, as a disk does. */
export class JournalDisk {
  readonly kept: Map<string, ChannelRecord> = new Map();
  snapshot: readonly ChannelRecord[] = [];
  owner: MemoryJournal | undefined;
}

/** What becomes of a commit: kept, refused, or kept although the answer was lost. */
export type CommitFate = 'kept' | 'refused' | 'unknown';

/** A journal on a {@link JournalDisk}, whose commits fail when a test says so. */
export class MemoryJournal implements ChannelJournal {
  readonly #disk: JournalDisk;
  readonly #clock: Clock;
  /** Decides about each commit. @defaultValue all are kept */
  fate: () => CommitFate = () => 'kept';
  /** Awaited before a commit is decided upon. */
  gate: () => Promise<void> = () => Promise.resolve();
  readonly commits: (readonly ChannelChange[])[] = [];

  constructor(disk: JournalDisk, clock: Clock) {
    this.#disk = disk;
    this.#clock = clock;
  }

  async open(): Promise<void> {
    this.#disk.owner = this;
  }

  async *channels(): AsyncGenerator<readonly string[], void, undefined> {
    yield [...this.#disk.kept.keys()];
  }

  async load(channels: readonly string[]): Promise<readonly ChannelRecord[]> {
    return channels.flatMap((channel) => {
      const record = this.#disk.kept.get(channel);
      return record ? [this.#current(record)] : [];
    });
  }

  async commit(changes: readonly ChannelChange[]): Promise<void> {
    await this.gate();
    this.#assertOwner();
    const fate = this.fate();
    if (fate === 'refused') throw new Error('the disk is full');
    this.commits.push(changes);
    for (const change of changes) {
      this.#disk.kept.set(change.channel, applied(this.#disk.kept.get(change.channel), change));
    }
    if (fate === 'unknown') throw new Error('the answer to the commit was lost');
  }

  async *takeSnapshot(): AsyncGenerator<ChannelRecord, void, undefined> {
    for (const record of this.#disk.snapshot) yield this.#current(record);
    this.#disk.snapshot = [];
  }

  async saveSnapshot(records: Iterable<ChannelRecord>, signal: AbortSignal): Promise<number> {
    this.#assertOwner();
    const written: ChannelRecord[] = [];
    this.#disk.snapshot = [];
    for (const record of records) {
      written.push(structuredClone(record));
      if (signal.aborted) break;
    }
    this.#disk.snapshot = written;
    return written.length;
  }

  problem(): string | undefined {
    return undefined;
  }

  async close(): Promise<void> {
    if (this.#disk.owner === this) this.#disk.owner = undefined;
  }

  #assertOwner(): void {
    if (this.#disk.owner !== this) throw new Error('another hub has taken the journal over');
  }

  /** Without what has expired. */
  #current(record: ChannelRecord): ChannelRecord {
    const now = this.#clock.now();
    const { stream, ...rest } = structuredClone(record);
    const results = rest.results.filter(({ expireAt }) => expireAt > now);
    if (stream && stream.forgetAt <= now && rest.entries.length === 0) {
      return { ...rest, publications: [], results };
    }
    const publications = stream && stream.expireAt > now ? rest.publications : [];
    return { ...rest, ...(stream && { stream }), publications, results };
  }
}

function applied(before: ChannelRecord | undefined, change: ChannelChange): ChannelRecord {
  const { channel, stream, retention } = change;
  const base = change.startsOver ? undefined : before;
  const gone = new Set([
    ...change.removedKeys,
    ...change.entries.map(({ publication }) => publication.key),
  ]);
  const repeated = new Set(change.results.map(({ idempotencyKey }) => idempotencyKey));
  const record: ChannelRecord = {
    channel,
    ...(stream && { stream }),
    ...(retention && { retention }),
    publications: [...(base?.publications ?? []), ...change.publications].filter(
      ({ offset }) => offset >= (stream?.oldest ?? Infinity),
    ),
    entries: [
      ...(base?.entries ?? []).filter(({ publication }) => !gone.has(publication.key)),
      ...change.entries,
    ],
    results: [
      ...(before?.results ?? []).filter(({ idempotencyKey }) => !repeated.has(idempotencyKey)),
      ...change.results,
    ],
  };
  return structuredClone(record);
}
