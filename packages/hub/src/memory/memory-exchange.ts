import { randomBytes } from 'node:crypto';
import type { ClientInfo, Publication } from '@holdfast/protocol';
import { systemClock, type Clock } from '../clock.ts';
import { FanOut } from './fan-out.ts';
import { IdempotencyCache } from './idempotency-cache.ts';
import { JournaledResults } from './journaled-results.ts';
import { Journaling, type JournaledExchange, type JournalingOptions } from './journaling.ts';
import { MemoryStream } from './memory-stream.ts';
import type {
  BrokerPublication,
  BrokerPublishOptions,
  BrokerPublishResult,
  HistoryFilter,
  HistoryPage,
} from '../ports/broker.ts';
import type { ChannelChange, ChannelRecord, JournaledResult } from '../ports/channel-journal.ts';
import { SweepCursor } from './sweep-cursor.ts';

/** Limits and sources of the state that memory brokers share. */
export interface MemoryExchangeOptions {
  readonly clock?: Clock;
  /** Makes the epoch of a new stream. @defaultValue 8 random characters */
  readonly randomEpoch?: () => string;
  /** Bytes of all streams with their publications, roughly. @defaultValue 268435456 (256 MiB) */
  readonly maxBytes?: number;
  /** Idempotency keys remembered. @defaultValue 100000 */
  readonly maxIdempotencyKeys?: number;
  /** Makes streams outlive the process. @defaultValue they end with it */
  readonly journaling?: JournalingOptions;
}

/** What a {@link MemoryExchange} holds, for metrics. */
export interface MemoryUsage {
  readonly streams: number;
  readonly bytes: number;
  readonly idempotencyKeys: number;
  /** Streams dropped to stay within the budget; their channels went on with a new epoch. */
  readonly evictedStreams: number;
  /** Keys forgotten before their time because a limit was reached. */
  readonly evictedIdempotencyKeys: number;
}

/** One event on its way to every attached node; exactly one member beside `channel` is set. */
export interface Delivery {
  readonly channel: string;
  /** Deliveries of the channel may have been lost. */
  readonly isInterrupted?: true;
  readonly publication?: BrokerPublication;
  readonly join?: ClientInfo;
  readonly leave?: ClientInfo;
}

const sweepIntervalMs = 1000;
/** Bounds how long one sweep holds the event loop (about a millisecond). */
const sweptPerInterval = 10_000;
const evictionLooks = 64;

/**
 * The state that the memory brokers of one process share: every channel's stream, the idempotency
 * keys, and the nodes that deliveries go to. A hub alone has one to itself; several hubs in one
 * process share one to act as a cluster.
 *
 * When the memory budget is reached, streams that were not used lately go first and as a whole, so
 * that clients are told by the new epoch that history was lost.
 */
export class MemoryExchange implements JournaledExchange<Delivery> {
  readonly deliveries: FanOut<Delivery> = new FanOut<Delivery>();
  readonly needsAllResident = false;
  /** Absent when streams end with the process. */
  readonly journaling: Journaling<Delivery> | undefined;
  readonly #clock: Clock;
  readonly #randomEpoch: () => string;
  readonly #maxBytes: number;

  readonly #streams = new Map<string, MemoryStream>();
  readonly #idempotency: IdempotencyCache<BrokerPublishResult>;
  readonly #results: JournaledResults<BrokerPublishResult>;
  #bytes = 0;
  #evictedStreams = 0;

  #stopSweep: (() => void) | undefined;
  readonly #sweepCursor = new SweepCursor(this.#streams);

  constructor(options: MemoryExchangeOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#randomEpoch = options.randomEpoch ?? (() => randomBytes(6).toString('base64url'));
    this.#maxBytes = options.maxBytes ?? 268_435_456;
    this.#idempotency = new IdempotencyCache(options.maxIdempotencyKeys ?? 100_000);
    this.#results = new JournaledResults(this.#idempotency, this.#clock);
    const { journaling } = options;
    this.journaling = journaling && new Journaling(this, { ...journaling, clock: this.#clock });
  }

  usage(): MemoryUsage {
    return {
      streams: this.#streams.size,
      bytes: this.#bytes,
      idempotencyKeys: this.#idempotency.size,
      evictedStreams: this.#evictedStreams,
      evictedIdempotencyKeys: this.#idempotency.evicted,
    };
  }

  /**
   * Hands every delivery to `receive` until the returned function is called. All nodes see all
   * deliveries in one and the same order, also when a receiver publishes.
   */
  attach(receive: (delivery: Delivery) => void): () => void {
    const detach = this.deliveries.attach(receive);
    this.#stopSweep ??= this.#clock.every(sweepIntervalMs, () => this.#sweep());
    return () => {
      detach();
      if (this.deliveries.receiverCount > 0) return;
      this.#stopSweep?.();
      this.#stopSweep = undefined;
    };
  }

  publish(
    channel: string,
    publication: Publication,
    options: BrokerPublishOptions,
  ): BrokerPublishResult {
    const now = this.#clock.monotonic();
    const earlier = this.#idempotency.get(channel, options, now);
    if (earlier) return earlier;
    const event: { -readonly [Name in keyof BrokerPublication]: BrokerPublication[Name] } = {
      channel,
      publication,
    };
    let result: BrokerPublishResult = {};
    if (options.historySize > 0 && options.historyTtlMs > 0) {
      const stream = this.#touch(channel, options.historyMetaTtlMs, now);
      if (!acceptVersion(stream, options)) {
        return { position: stream.position, suppressed: 'version' };
      }
      const previous = options.withPrevious ? stream.latest(now) : undefined;
      const bytesBefore = stream.bytes;
      event.publication = stream.append(publication, this.#clock.now(), {
        now,
        size: options.historySize,
        deadline: now + options.historyTtlMs,
      });
      stream.metaDeadline = Math.max(stream.metaDeadline, now + options.historyTtlMs);
      event.position = stream.position;
      if (previous) event.previous = previous;
      result = { position: event.position };
      this.#bytes += stream.bytes - bytesBefore;
      if (this.#bytes > this.#maxBytes) this.#reclaim(stream);
    }
    if (options.excludeClient !== undefined) event.excludeClient = options.excludeClient;
    if (options.idempotencyKey !== undefined) {
      const repeated = { ...result, suppressed: 'idempotency' } as const;
      const entry = this.#idempotency.remember(channel, options, { result: repeated, now });
      if (entry && this.journaling?.isDurable(channel)) this.#results.add(entry);
    }
    this.deliver({ channel, publication: event });
    return result;
  }

  /** Sends one delivery to every node. */
  deliver(delivery: Delivery): void {
    this.deliveries.send(delivery);
  }

  history(channel: string, filter: HistoryFilter): HistoryPage {
    const now = this.#clock.monotonic();
    const stream = this.#touch(channel, filter.historyMetaTtlMs, now);
    const bytesBefore = stream.bytes;
    const publications = stream.read(filter, now);
    this.#bytes += stream.bytes - bytesBefore;
    return { publications, position: stream.position };
  }

  removeHistory(channel: string): void {
    const stream = this.#streams.get(channel);
    if (!stream) return;
    this.#bytes -= stream.bytes;
    stream.clear();
  }

  /** The channel's live stream, begun anew when there is none, kept for at least `metaTtlMs`. */
  #touch(channel: string, metaTtlMs: number, now: number): MemoryStream {
    let stream = this.#streams.get(channel);
    if (stream && stream.metaDeadline <= now) {
      this.#forget(channel, stream);
      stream = undefined;
    }
    if (!stream) {
      stream = new MemoryStream(this.#randomEpoch());
      this.#streams.set(channel, stream);
      this.#bytes += stream.bytes;
      if (this.#bytes > this.#maxBytes) this.#reclaim(stream);
    }
    stream.isUsed = true;
    stream.metaDeadline = Math.max(stream.metaDeadline, now + metaTtlMs);
    return stream;
  }

  #forget(channel: string, stream: MemoryStream): void {
    this.#streams.delete(channel);
    this.#bytes -= stream.bytes;
  }

  /** Makes room, sparing the stream that is being used. */
  #reclaim(writing: MemoryStream): void {
    while (this.#bytes > this.#maxBytes && this.#evict(writing));
    // One stream alone is over the budget: it keeps its newest publications.
    while (this.#bytes > this.#maxBytes) {
      const bytesBefore = writing.bytes;
      if (!writing.dropOldest()) return;
      this.#bytes += writing.bytes - bytesBefore;
    }
  }

  /**
   * Second-chance eviction: a stream used since the last look goes to the back of the line. Looks at
   * a bounded number of streams, so that it never causes a long pause.
   */
  #evict(spared: MemoryStream): boolean {
    let looks = 0;
    for (const [channel, stream] of this.#streams) {
      const mayGo = stream !== spared && !this.journaling?.holds(channel);
      if (mayGo && (!stream.isUsed || looks >= evictionLooks)) {
        this.#forget(channel, stream);
        // A durable one is in the journal, from where its next use takes it.
        if (!this.journaling?.isDurable(channel)) this.#evictedStreams += 1;
        return true;
      }
      if (looks > evictionLooks) return false;
      looks += 1;
      stream.isUsed = false;
      this.#streams.delete(channel);
      this.#streams.set(channel, stream);
    }
    return false;
  }

  // ---- for the journal ----

  isResident(channel: string): boolean {
    return this.#streams.has(channel);
  }

  isReadable(channel: string): boolean {
    const now = this.#clock.monotonic();
    const stream = this.#streams.get(channel);
    return stream !== undefined && stream.metaDeadline > now && !stream.hasUnsaved(now);
  }

  restore({ channel, stream, publications, results }: ChannelRecord): void {
    this.#results.restore(channel, results);
    if (!stream) return;
    const restored = MemoryStream.restore(stream, publications, this.#clock);
    restored.markSaved();
    this.#streams.set(channel, restored);
    this.#bytes += restored.bytes;
    if (this.#bytes > this.#maxBytes) this.#reclaim(restored);
  }

  takeUnsaved(channel: string): ChannelChange | undefined {
    const now = this.#clock.monotonic();
    const results = this.#results.take(channel);
    const stream = this.#streams.get(channel);
    if (!stream?.hasUnsaved(now) && results.length === 0) return undefined;
    const unsaved = stream?.takeUnsaved(this.#clock);
    return {
      channel,
      publications: [],
      ...unsaved,
      startsOver: unsaved?.startsOver ?? false,
      entries: [],
      results,
      removedKeys: [],
      keepUntil: unsaved?.stream.forgetAt ?? 0,
    };
  }

  discard(channel: string, results: readonly JournaledResult[]): void {
    this.#results.discard(channel, results);
    const stream = this.#streams.get(channel);
    if (stream) this.#forget(channel, stream);
  }

  interrupt(channel: string): void {
    this.deliver({ channel, isInterrupted: true });
  }

  *snapshot(): Generator<ChannelRecord, void, undefined> {
    const now = this.#clock.monotonic();
    const results = this.#results.byChannel((channel) => !this.journaling?.isDurable(channel));
    for (const [channel, stream] of this.#streams) {
      if (stream.metaDeadline <= now || this.journaling?.isDurable(channel)) continue;
      const ofChannel = results.get(channel) ?? [];
      results.delete(channel);
      yield { channel, ...stream.record(this.#clock), entries: [], results: ofChannel };
    }
    for (const [channel, ofChannel] of results) {
      yield { channel, publications: [], entries: [], results: ofChannel };
    }
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    this.#idempotency.sweep(now);
    this.#sweepCursor.visit(sweptPerInterval, (channel, stream) => {
      if (stream.metaDeadline <= now) {
        this.#forget(channel, stream);
        return;
      }
      const bytesBefore = stream.bytes;
      stream.expire(now);
      this.#bytes += stream.bytes - bytesBefore;
    });
  }
}

function acceptVersion(stream: MemoryStream, options: BrokerPublishOptions): boolean {
  const { version = 0, versionEpoch = '' } = options;
  if (version <= 0) return true;
  const isComparable = versionEpoch === '' || versionEpoch === stream.versionEpoch;
  if (isComparable && version <= stream.version) return false;
  stream.version = version;
  stream.versionEpoch = versionEpoch;
  return true;
}
