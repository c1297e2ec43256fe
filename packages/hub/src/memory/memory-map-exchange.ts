import { randomBytes } from 'node:crypto';
import { ReplyError } from '@holdfast/protocol';
import { systemClock, type Clock } from '../clock.ts';
import type { BrokerPublication } from '../ports/broker.ts';
import type { ChannelChange, ChannelRecord, JournaledResult } from '../ports/channel-journal.ts';
import type {
  MapChangeOptions,
  MapChangeResult,
  MapPublication,
  MapPublishOptions,
  MapRetention,
  MapStateFilter,
  MapStatePage,
  MapStats,
  MapStreamFilter,
  MapStreamPage,
  MapSuppression,
} from '../ports/map-broker.ts';
import { TimerWheel } from '../timer-wheel.ts';
import { FanOut } from './fan-out.ts';
import { IdempotencyCache } from './idempotency-cache.ts';
import { JournaledResults } from './journaled-results.ts';
import { Journaling, type JournaledExchange, type JournalingOptions } from './journaling.ts';
import { isUnsaved, recordOf, restoreMap, takeUnsavedMap } from './journaled-map.ts';
import { isAsExpected, publishSuppression } from './map-suppression.ts';
import { MapTable } from './map-table.ts';
import type { MapEntry, MemoryMap } from './memory-map.ts';

/** Limits and sources of the state that memory map brokers share. */
export interface MemoryMapExchangeOptions {
  readonly clock?: Clock;
  /** Makes the epoch of a new stream. @defaultValue 8 random characters */
  readonly randomEpoch?: () => string;
  /** Bytes of all channels with their keys and streams, roughly. @defaultValue 268435456 (256 MiB) */
  readonly maxBytes?: number;
  /** Idempotency keys remembered. @defaultValue 100000 */
  readonly maxIdempotencyKeys?: number;
  /** Makes maps outlive the process. @defaultValue they end with it */
  readonly journaling?: JournalingOptions;
}

/** What a {@link MemoryMapExchange} holds, for metrics. */
export interface MemoryMapUsage {
  readonly channels: number;
  readonly bytes: number;
  readonly idempotencyKeys: number;
  /** Changes refused because there was no room for them. */
  readonly refusedChanges: number;
  /** Keys that were removed because their time was over. */
  readonly expiredKeys: number;
}

/** One event on its way to every attached node. With nothing beside the channel it was cleared. */
export interface MapDelivery {
  readonly channel: string;
  /** Deliveries of the channel may have been lost. */
  readonly isInterrupted?: true;
  readonly publication?: BrokerPublication;
}

type Change = {
  -readonly [Name in keyof BrokerPublication]: BrokerPublication[Name];
} & { readonly publication: MapPublication };

const sweepIntervalMs = 1000;

/**
 * The state that the memory map brokers of one process share. A hub alone has one to itself; several
 * hubs in one process share one to act as a cluster.
 *
 * State is never dropped to make room: channels without keys go first, and when that is not enough
 * the change is refused.
 */
export class MemoryMapExchange implements JournaledExchange<MapDelivery> {
  readonly deliveries: FanOut<MapDelivery> = new FanOut<MapDelivery>();
  readonly needsAllResident = true;
  /** Absent when maps end with the process. */
  readonly journaling: Journaling<MapDelivery> | undefined;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #table: MapTable;
  readonly #idempotency: IdempotencyCache<MapChangeResult>;
  readonly #results: JournaledResults<MapChangeResult>;
  /** Kept channels whose map was dropped by the operations under way. */
  readonly #dropped = new Set<string>();
  #refusedChanges = 0;
  #expiredKeys = 0;
  #wheel: TimerWheel | undefined;
  #stopSweep: (() => void) | undefined;

  constructor(options: MemoryMapExchangeOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#maxBytes = options.maxBytes ?? 268_435_456;
    this.#idempotency = new IdempotencyCache(options.maxIdempotencyKeys ?? 100_000);
    this.#table = new MapTable({
      randomEpoch: options.randomEpoch ?? (() => randomBytes(6).toString('base64url')),
      maxBytes: this.#maxBytes,
      onExpired: (entry) => this.#expire(entry),
      isDurable: (channel) => this.journaling?.isDurable(channel) === true,
      isHeld: (channel) => this.journaling?.holds(channel) === true,
      onForgotten: ({ channel, isJournaled }) => {
        if (isJournaled && this.journaling?.holds(channel)) this.#dropped.add(channel);
      },
    });
    this.#results = new JournaledResults(this.#idempotency, this.#clock);
    const { journaling } = options;
    this.journaling = journaling && new Journaling(this, { ...journaling, clock: this.#clock });
  }

  usage(): MemoryMapUsage {
    return {
      channels: this.#table.size,
      bytes: this.#table.bytes,
      idempotencyKeys: this.#idempotency.size,
      refusedChanges: this.#refusedChanges,
      expiredKeys: this.#expiredKeys,
    };
  }

  /**
   * Hands every delivery to `receive` until the returned function is called. Keys are removed when
   * they expire as long as somebody is attached.
   */
  attach(receive: (delivery: MapDelivery) => void): () => void {
    const detach = this.deliveries.attach(receive);
    if (!this.#wheel) {
      this.#wheel = new TimerWheel(this.#clock);
      this.#stopSweep = this.#clock.every(sweepIntervalMs, () => this.#sweep());
      for (const map of this.#table.maps()) {
        for (const entry of map.entries()) this.#wheel.schedule(entry, entry.deadline);
      }
    }
    return () => {
      detach();
      if (this.deliveries.receiverCount > 0 || !this.#wheel) return;
      for (const map of this.#table.maps()) {
        for (const entry of map.entries()) this.#wheel.cancel(entry);
      }
      this.#wheel.close();
      this.#wheel = undefined;
      this.#stopSweep?.();
    };
  }

  publish(
    channel: string,
    publication: MapPublication,
    options: MapPublishOptions,
  ): MapChangeResult {
    if (!Number.isFinite(publication.score ?? 0)) {
      throw new ReplyError(107, 'bad request: the score of a key must be a finite number');
    }
    const now = this.#clock.monotonic();
    const earlier = this.#idempotency.get(channel, options, now);
    if (earlier) return earlier;
    const map = this.#table.use(channel, options.retention, now);
    const entry = map.get(publication.key, now);
    const suppressed = publishSuppression(options, entry, map.position);
    if (suppressed) return suppressedResult(map, entry, suppressed);
    this.#makeRoom(map, publication);

    const { streamData } = options;
    const sent = streamData === undefined ? publication : { ...publication, data: streamData };
    const change = this.#record(map, sent, now);
    if (options.withPrevious && streamData === undefined && entry && !entry.isIncremental) {
      change.previous = entry.publication;
    }
    this.#write(map, valueOf(change.publication, publication), { entry, options, now });
    return this.#happened(change, options, now);
  }

  remove(channel: string, key: string, options: MapChangeOptions): MapChangeResult {
    const now = this.#clock.monotonic();
    const earlier = this.#idempotency.get(channel, options, now);
    if (earlier) return earlier;
    const map = this.#table.use(channel, options.retention, now);
    const entry = map.get(key, now);
    if (!entry) return suppressedResult(map, entry, 'key_not_found');
    if (!isAsExpected(options, entry, map.position)) {
      return suppressedResult(map, entry, 'position_mismatch');
    }
    return this.#happened(this.#removeEntry(entry, now), options, now);
  }

  touch(channel: string, key: string, retention: MapRetention): boolean {
    const now = this.#clock.monotonic();
    const map = this.#table.get(channel);
    const entry = map?.get(key, now);
    if (!map || !entry) return false;
    map.retention = retention;
    map.renew(entry, now);
    this.#wheel?.schedule(entry, entry.deadline);
    return true;
  }

  readState(channel: string, filter: MapStateFilter): MapStatePage {
    const now = this.#clock.monotonic();
    const map = this.#table.use(channel, filter.retention, now);
    const { position } = map;
    const top = position ? { position } : {};
    if (filter.key === undefined) return { ...map.page(filter, now), ...top };
    const entry = map.get(filter.key, now);
    return { entries: entry ? [entry.publication] : [], cursor: '', ...top };
  }

  readStream(channel: string, filter: MapStreamFilter): MapStreamPage {
    const now = this.#clock.monotonic();
    const map = this.#table.use(channel, filter.retention, now);
    const { position, stream } = map;
    if (!stream || !position) return { publications: [] };
    const publications = stream.read(filter, now) as readonly MapPublication[];
    this.#table.settle(map);
    return { publications, position };
  }

  stats(channel: string): MapStats {
    return { keys: this.#table.get(channel)?.count(this.#clock.monotonic()) ?? 0 };
  }

  clear(channel: string): void {
    const map = this.#table.get(channel);
    if (map) {
      for (const entry of map.entries()) this.#wheel?.cancel(entry);
      map.clear();
      this.#table.forget(map);
    }
    this.deliveries.send({ channel });
  }

  #makeRoom(map: MemoryMap, publication: MapPublication): void {
    const bytes = map.costOf(publication);
    // What makes a key smaller must never be refused.
    if (bytes <= 0 || this.#table.hasRoomFor(bytes, map)) return;
    this.#refusedChanges += 1;
    throw new ReplyError(
      106,
      `limit exceeded: maps may take ${this.#maxBytes} bytes of memory; remove keys, let them expire, or allow more`,
    );
  }

  /** Appends to the stream, when there is one, what then goes to subscribers. */
  #record(map: MemoryMap, publication: MapPublication, now: number): Change {
    const { channel, stream, retention } = map;
    const time = this.#clock.now();
    if (!stream || retention.streamSize <= 0) {
      return { channel, publication: { ...publication, time: publication.time ?? time } };
    }
    const stored = stream.append(publication, time, {
      now,
      size: retention.streamSize,
      deadline: now + retention.streamTtlMs,
    });
    return { channel, publication: stored, position: stream.position };
  }

  #write(
    map: MemoryMap,
    value: MapPublication,
    {
      entry,
      options,
      now,
    }: { entry: MapEntry | undefined; options: MapPublishOptions; now: number },
  ): void {
    let written = entry;
    if (written) {
      map.replace(written, value);
    } else {
      // One whose time is over, and that only waits for its removal, is no predecessor.
      this.#drop(map.get(value.key, -Infinity));
      written = map.add(value);
    }
    written.isIncremental = options.streamData !== undefined;
    if (options.version !== undefined && options.version > 0) {
      written.version = options.version;
      written.versionEpoch = options.versionEpoch ?? '';
    }
    map.renew(written, now);
    this.#wheel?.schedule(written, written.deadline);
    this.#table.settle(map);
  }

  #removeEntry(entry: MapEntry, now: number): Change {
    const { map, key } = entry;
    const { tags } = entry.publication;
    const change = this.#record(map, { key, removed: true, ...(tags ? { tags } : {}) }, now);
    this.#drop(entry);
    this.#table.settle(map);
    return change;
  }

  #drop(entry: MapEntry | undefined): void {
    if (!entry) return;
    this.#wheel?.cancel(entry);
    entry.map.delete(entry);
  }

  #happened(change: Change, options: MapChangeOptions, now: number): MapChangeResult {
    const result = change.position ? { position: change.position } : {};
    if (options.excludeClient !== undefined) change.excludeClient = options.excludeClient;
    if (options.idempotencyKey !== undefined) {
      const repeated = { ...result, suppressed: 'idempotency' } as const;
      const entry = this.#idempotency.remember(change.channel, options, { result: repeated, now });
      if (entry && this.journaling?.isDurable(change.channel)) this.#results.add(entry);
    }
    this.deliveries.send({ channel: change.channel, publication: change });
    return result;
  }

  #expire(entry: MapEntry): void {
    const { channel } = entry.map;
    if (this.journaling?.isDurable(channel)) {
      // When it fails the map is taken from the journal again, and the key expires again.
      const removed = this.journaling.perform(channel, () => this.#removeExpired(entry));
      Promise.resolve(removed).catch(() => undefined);
    } else {
      this.#removeExpired(entry);
    }
  }

  #removeExpired(entry: MapEntry): void {
    const now = this.#clock.monotonic();
    // While it waited for its turn it may have been given more time, or something else.
    if (entry.deadline > now || !entry.map.holds(entry)) return;
    if (this.#table.get(entry.map.channel) !== entry.map) return;
    this.#expiredKeys += 1;
    const change = this.#removeEntry(entry, now);
    this.deliveries.send({ channel: change.channel, publication: change });
  }

  // ---- for the journal ----

  isResident(channel: string): boolean {
    return this.#table.get(channel) !== undefined;
  }

  isReadable(channel: string): boolean {
    const now = this.#clock.monotonic();
    const map = this.#table.get(channel);
    return map !== undefined && (map.size > 0 || map.metaDeadline > now) && !isUnsaved(map, now);
  }

  restore(record: ChannelRecord): void {
    this.#results.restore(record.channel, record.results);
    const map = restoreMap(this.#table.create(record.channel), record, this.#clock);
    this.#table.settle(map);
    for (const entry of map.entries()) this.#wheel?.schedule(entry, entry.deadline);
  }

  takeUnsaved(channel: string): ChannelChange | undefined {
    const results = this.#results.take(channel);
    const map = this.#table.get(channel);
    const wasDropped = this.#dropped.delete(channel);
    if (map && (isUnsaved(map, this.#clock.monotonic()) || results.length > 0)) {
      return { ...takeUnsavedMap(map, this.#clock), results };
    }
    if (map || (!wasDropped && results.length === 0)) return undefined;
    return {
      channel,
      publications: [],
      entries: [],
      results,
      startsOver: true,
      removedKeys: [],
      keepUntil: 0,
    };
  }

  discard(channel: string, results: readonly JournaledResult[]): void {
    this.#results.discard(channel, results);
    const map = this.#table.get(channel);
    if (map) {
      for (const entry of map.entries()) this.#wheel?.cancel(entry);
      this.#table.forget(map);
    }
    this.#dropped.delete(channel);
    this.journaling?.reload(channel);
  }

  interrupt(channel: string): void {
    this.deliveries.send({ channel, isInterrupted: true });
  }

  *snapshot(): Generator<ChannelRecord, void, undefined> {
    const now = this.#clock.monotonic();
    const results = this.#results.byChannel((channel) => !this.journaling?.isDurable(channel));
    for (const map of this.#table.maps()) {
      const { channel } = map;
      if (map.size === 0 && map.metaDeadline <= now) continue;
      if (this.journaling?.isDurable(channel)) continue;
      const ofChannel = results.get(channel) ?? [];
      results.delete(channel);
      yield { ...recordOf(map, this.#clock), results: ofChannel };
    }
    for (const [channel, ofChannel] of results) {
      yield { channel, publications: [], entries: [], results: ofChannel };
    }
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    this.#idempotency.sweep(now);
    this.#table.sweep(now);
  }
}

/** What the key has from now on: what was sent, or its own data when something else was sent. */
function valueOf(sent: MapPublication, publication: MapPublication): MapPublication {
  if (sent.data === publication.data) return sent;
  const { offset, time } = sent;
  return {
    ...publication,
    ...(offset === undefined ? {} : { offset }),
    ...(time === undefined ? {} : { time }),
  };
}

function suppressedResult(
  map: MemoryMap,
  entry: MapEntry | undefined,
  suppressed: MapSuppression,
): MapChangeResult {
  const { position } = map;
  const isMismatch = suppressed === 'position_mismatch';
  return {
    suppressed,
    ...(position ? { position } : {}),
    ...(isMismatch && entry ? { current: entry.publication } : {}),
  };
}
