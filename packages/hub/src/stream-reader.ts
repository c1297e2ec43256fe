import { shareList } from '@holdfast/protocol';
import { GatheredReads, type ReadPace } from './gathered-reads.ts';
import { wirePublication } from './message-encoder.ts';
import type { HubMetrics } from './metrics.ts';
import type { Broker, HistoryFilter, HistoryPage, Position } from './ports/broker.ts';
import { recoverStream, type Recovery } from './recovery.ts';

export interface StreamReaderOptions extends ReadPace {
  readonly broker: Broker;
  /** Most publications of one recovery; 0 for no limit. */
  readonly recoveryLimit: number;
  readonly metrics: Pick<HubMetrics, 'streamReads' | 'streamQuestions'>;
}

/** What a subscriber finds on entering a stream. */
export interface StreamEntry {
  readonly top: Position;
  /** What it missed, as clients get to see it; absent when it did not ask. */
  readonly recovery?: Recovery;
}

interface LatestQuestion {
  readonly channel: string;
  readonly limit: number;
  readonly historyMetaTtlMs: number;
}

interface Question {
  readonly since: Position | undefined;
  readonly historyMetaTtlMs: number;
}

/** Part of a stream that one read brings for several recoveries. */
export interface SharedRange {
  /** Exclusive. */
  readonly sinceOffset: number;
  /** Most publications; -1 for all. */
  readonly limit: number;
}

/**
 * What those who enter a stream read of it: its top, and what they missed. Those who enter at the same
 * time share their reads, however many they are and wherever they left off, and those who left off at
 * the same position share what they get.
 *
 * Who subscribed to the channel before asking misses nothing: see {@link GatheredReads}.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #entries: GatheredReads<Question, StreamEntry>;
  readonly #latest: GatheredReads<LatestQuestion, HistoryPage>;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#entries = new GatheredReads(
      (channel, asked) => this.#readEntries(channel, asked),
      options,
    );
    this.#latest = new GatheredReads((_, asked) => this.#readLatest(asked), options);
  }

  /** @param since - the position to recover from; only the top is read without. */
  enter(
    channel: string,
    { since, historyMetaTtlMs }: { readonly since?: Position; readonly historyMetaTtlMs: number },
  ): Promise<StreamEntry> {
    return this.#entries.ask(channel, { since, historyMetaTtlMs });
  }

  /** The newest publications, newest first; `limit` -1 for all. */
  latest(
    channel: string,
    { limit, historyMetaTtlMs }: { readonly limit: number; readonly historyMetaTtlMs: number },
  ): Promise<HistoryPage> {
    return this.#latest.ask(`${limit} ${channel}`, { channel, limit, historyMetaTtlMs });
  }

  #history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    this.#options.metrics.streamReads += 1;
    return this.#options.broker.history(channel, filter);
  }

  async #readLatest(asked: readonly LatestQuestion[]): Promise<readonly HistoryPage[]> {
    // The key has all of them ask the same.
    const [{ channel, ...filter }] = asked as readonly [LatestQuestion];
    this.#options.metrics.streamQuestions += asked.length;
    const page = await this.#history(channel, { ...filter, reverse: true });
    return asked.map(() => page);
  }

  async #readEntries(channel: string, asked: readonly Question[]): Promise<readonly StreamEntry[]> {
    const { metrics, recoveryLimit } = this.#options;
    const [{ historyMetaTtlMs }] = asked as readonly [Question];
    metrics.streamQuestions += asked.length;
    const offsets = asked.flatMap(({ since }) => (since === undefined ? [] : since.offset));
    const ranges = sharedRanges(offsets, recoveryLimit);
    if (ranges.size === 0) {
      const { position: top } = await this.#history(channel, { limit: 0, historyMetaTtlMs });
      return asked.map(() => ({ top }));
    }
    const pages = new Map<SharedRange, HistoryPage>();
    await Promise.all(
      [...new Set(ranges.values())].map(async (range) => {
        pages.set(range, await this.#history(channel, { ...range, historyMetaTtlMs }));
      }),
    );
    const [{ position: top }] = [...pages.values()] as [HistoryPage];
    const entries = new Map<string, StreamEntry>();
    return asked.map(({ since }) => {
      if (since === undefined) return { top };
      const key = `${since.offset} ${since.epoch}`;
      let entry = entries.get(key);
      if (entry === undefined) {
        const page = pages.get(ranges.get(since.offset) as SharedRange) as HistoryPage;
        entry = entryFrom(page, since, recoveryLimit);
        entries.set(key, entry);
      }
      return entry;
    });
  }
}

/**
 * The reads that serve recoveries from all of `offsets` as a read of `limit` publications each would:
 * offsets within `limit` of the first share one, at most twice as long. An offset is served whatever
 * the others are: one beyond the end, which only a client that lies has, gets a read of its own.
 *
 * @param limit - 0 for no limit, and then one read serves all
 */
export function sharedRanges(
  offsets: readonly number[],
  limit: number,
): ReadonlyMap<number, SharedRange> {
  const ranges = new Map<number, { readonly sinceOffset: number; limit: number }>();
  let range = { sinceOffset: Number.NEGATIVE_INFINITY, limit: 0 };
  for (const offset of offsets.toSorted((one, other) => one - other)) {
    const distance = offset - range.sinceOffset;
    if (distance === Infinity || (limit > 0 && distance > limit)) {
      range = { sinceOffset: offset, limit: limit > 0 ? limit : -1 };
    } else if (limit > 0) {
      range.limit = distance + limit;
    }
    ranges.set(offset, range);
  }
  return ranges;
}

/** What a read since `since` would have found, out of one that began at the same offset or before. */
function entryFrom(page: HistoryPage, since: Position, limit: number): StreamEntry {
  const { publications, position: top } = page;
  const missed = publications.filter(({ offset = 0 }) => offset > since.offset);
  const { recovered, publications: own } = recoverStream(since, {
    publications: limit > 0 ? missed.slice(0, limit) : missed,
    position: top,
  });
  return { top, recovery: { recovered, publications: shareList(own.map(wirePublication)) } };
}
