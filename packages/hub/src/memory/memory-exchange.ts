import { randomBytes } from 'node:crypto';
import type { ClientInfo, Publication } from '@holdfast/protocol';
import { systemClock, type Clock } from '../clock.ts';
import { MemoryStream } from './memory-stream.ts';
import type {
  BrokerPublication,
  BrokerPublishOptions,
  BrokerPublishResult,
  HistoryFilter,
  HistoryPage,
} from '../ports/broker.ts';
import { SweepCursor } from './sweep-cursor.ts';

export interface MemoryExchangeOptions {
  readonly clock?: Clock;
  /** Makes the epoch of a new stream. @defaultValue 8 random characters */
  readonly randomEpoch?: () => string;
  /** Bytes of all streams with their publications, roughly. @defaultValue 268435456 (256 MiB) */
  readonly maxBytes?: number;
  /** Idempotency keys remembered. @defaultValue 100000 */
  readonly maxIdempotencyKeys?: number;
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
  readonly publication?: BrokerPublication;
  readonly join?: ClientInfo;
  readonly leave?: ClientInfo;
}

interface IdempotencyEntry {
  readonly result: BrokerPublishResult;
  readonly deadline: number;
}

const sweepIntervalMs = 1000;
/** Bounds how long one sweep holds the event loop (about a millisecond). */
const sweptPerInterval = 10_000;
const evictionLooks = 64;
const defaultIdempotencyTtlMs = 300_000;

/**
 * The state that the memory brokers of one process share: every channel's stream, the idempotency
 * keys, and the nodes that deliveries go to. A hub alone has one to itself; several hubs in one
 * process share one to act as a cluster.
 *
 * When the memory budget is reached, streams that were not used lately go first and as a whole, so
 * that clients are told by the new epoch that history was lost.
 */
export class MemoryExchange {
  readonly #clock: Clock;
  readonly #randomEpoch: () => string;
  readonly #maxBytes: number;
  readonly #maxIdempotencyKeys: number;

  readonly #streams = new Map<string, MemoryStream>();
  /** In the order of insertion, which with a common TTL is the order of expiry. */
  readonly #idempotency = new Map<string, IdempotencyEntry>();
  readonly #nodes = new Set<(delivery: Delivery) => void>();
  #bytes = 0;
  #evictedStreams = 0;
  #evictedIdempotencyKeys = 0;

  readonly #waiting: Delivery[] = [];
  #isDelivering = false;
  #stopSweep: (() => void) | undefined;
  readonly #sweepCursor = new SweepCursor(this.#streams);

  constructor(options: MemoryExchangeOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#randomEpoch = options.randomEpoch ?? (() => randomBytes(6).toString('base64url'));
    this.#maxBytes = options.maxBytes ?? 268_435_456;
    this.#maxIdempotencyKeys = options.maxIdempotencyKeys ?? 100_000;
  }

  usage(): MemoryUsage {
    return {
      streams: this.#streams.size,
      bytes: this.#bytes,
      idempotencyKeys: this.#idempotency.size,
      evictedStreams: this.#evictedStreams,
      evictedIdempotencyKeys: this.#evictedIdempotencyKeys,
    };
  }

  /**
   * Hands every delivery to `receive` until the returned function is called. All nodes see all
   * deliveries in one and the same order, also when a receiver publishes.
   */
  attach(receive: (delivery: Delivery) => void): () => void {
    const node = (delivery: Delivery): void => receive(delivery);
    this.#nodes.add(node);
    this.#stopSweep ??= this.#clock.every(sweepIntervalMs, () => this.#sweep());
    return () => {
      this.#nodes.delete(node);
      if (this.#nodes.size > 0) return;
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
    const key =
      options.idempotencyKey === undefined
        ? undefined
        : `${channel.length}:${channel}${options.idempotencyKey}`;
    if (key !== undefined) {
      const earlier = this.#idempotency.get(key);
      if (earlier && earlier.deadline > now) return earlier.result;
    }
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
    if (key !== undefined) {
      this.#remember(key, {
        result: { ...result, suppressed: 'idempotency' },
        deadline: now + (options.idempotencyTtlMs ?? defaultIdempotencyTtlMs),
      });
    }
    this.deliver({ channel, publication: event });
    return result;
  }

  /**
   * Sends one delivery to every node. Nested calls wait until the delivery under way has reached
   * every node, so that no node sees an answer before the question.
   */
  deliver(delivery: Delivery): void {
    if (this.#isDelivering) {
      this.#waiting.push(delivery);
      return;
    }
    this.#isDelivering = true;
    try {
      let next: Delivery | undefined = delivery;
      while (next) {
        for (const node of this.#nodes) node(next);
        next = this.#waiting.shift();
      }
    } finally {
      this.#isDelivering = false;
      // Only after a receiver threw, against its contract: the others still get what waits.
      const next = this.#waiting.shift();
      if (next) queueMicrotask(() => this.deliver(next));
    }
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
      if (stream !== spared && (!stream.isUsed || looks >= evictionLooks)) {
        this.#forget(channel, stream);
        this.#evictedStreams += 1;
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

  #remember(key: string, entry: IdempotencyEntry): void {
    this.#idempotency.delete(key);
    this.#idempotency.set(key, entry);
    if (this.#idempotency.size <= this.#maxIdempotencyKeys) return;
    for (const [oldest, { deadline }] of this.#idempotency) {
      this.#idempotency.delete(oldest);
      if (deadline > this.#clock.monotonic()) this.#evictedIdempotencyKeys += 1;
      return;
    }
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const [key, { deadline }] of this.#idempotency) {
      if (deadline > now) break;
      this.#idempotency.delete(key);
    }
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
