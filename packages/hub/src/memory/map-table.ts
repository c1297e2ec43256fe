import type { MapRetention } from '../ports/map-broker.ts';
import { MemoryMap, type MapEntry } from './memory-map.ts';
import { MemoryStream } from './memory-stream.ts';
import { SweepCursor } from './sweep-cursor.ts';

const sweptPerInterval = 10_000;

export interface MapTableOptions {
  readonly randomEpoch: () => string;
  readonly maxBytes: number;
  /** Called when an entry of one of the maps expires. */
  readonly onExpired: (entry: MapEntry) => void;
  /** Whether a channel's changes are journaled. @defaultValue none are */
  readonly isDurable?: (channel: string) => boolean;
  /** Whether a map has to stay, because changes of it are not journaled yet. @defaultValue none has */
  readonly isHeld?: (channel: string) => boolean;
  readonly onForgotten?: (map: MemoryMap) => void;
}

/**
 * The maps of all channels within one memory budget. Maps with keys stay; those without live until
 * their meta TTL is over or their room is needed. After each use a map must be {@link settle}d.
 */
export class MapTable {
  readonly #options: MapTableOptions;
  readonly #maps = new Map<string, MemoryMap>();
  /** Those without keys, the longest unused first. */
  readonly #empty = new Map<string, MemoryMap>();
  readonly #sweepCursor = new SweepCursor(this.#maps);
  #bytes = 0;

  constructor(options: MapTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#maps.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  maps(): IterableIterator<MemoryMap> {
    return this.#maps.values();
  }

  get(channel: string): MemoryMap | undefined {
    return this.#maps.get(channel);
  }

  /** The channel's map, begun anew when there is none; it is kept once it has a stream or keys. */
  use(channel: string, retention: MapRetention, now: number): MemoryMap {
    let map = this.#maps.get(channel);
    if (map && map.size === 0 && map.metaDeadline <= now) {
      this.forget(map);
      map = undefined;
    }
    map ??= this.create(channel);
    map.retention = retention;
    if (retention.streamSize > 0) {
      map.stream ??= new MemoryStream(this.#options.randomEpoch());
      const metaTtlMs = Math.max(retention.metaTtlMs, retention.streamTtlMs);
      map.metaDeadline = Math.max(map.metaDeadline, now + metaTtlMs);
      map.stream.metaDeadline = map.metaDeadline;
    }
    this.settle(map);
    return map;
  }

  /** A map that is in the table when it has been {@link settle}d. */
  create(channel: string): MemoryMap {
    const map = new MemoryMap(channel, this.#options.onExpired);
    if (this.#options.isDurable?.(channel)) map.unsavedKeys = new Set();
    return map;
  }

  /** Brings everything up to date with what has happened to a map. */
  settle(map: MemoryMap): void {
    const { channel } = map;
    const isKnown = this.#maps.get(channel) === map;
    if (map.size === 0 && !map.stream) {
      if (isKnown) this.forget(map);
      return;
    }
    if (!isKnown) this.#maps.set(channel, map);
    this.#bytes += map.bytes - map.settledBytes;
    map.settledBytes = map.bytes;
    this.#empty.delete(channel);
    if (map.size > 0) return;
    this.#empty.set(channel, map);
    this.hasRoomFor(0, map);
  }

  /** Makes room by forgetting maps without keys other than `spared`; false when that is not enough. */
  hasRoomFor(bytes: number, spared: MemoryMap): boolean {
    const { maxBytes } = this.#options;
    if (this.#bytes + bytes <= maxBytes) return true;
    for (const map of this.#empty.values()) {
      if (map !== spared && !this.#options.isHeld?.(map.channel)) this.forget(map);
      if (this.#bytes + bytes <= maxBytes) return true;
    }
    return false;
  }

  forget(map: MemoryMap): void {
    this.#maps.delete(map.channel);
    this.#empty.delete(map.channel);
    this.#bytes -= map.settledBytes;
    this.#options.onForgotten?.(map);
  }

  /** Drops what has expired in some of the maps: streams, and maps without keys. */
  sweep(now: number): void {
    this.#sweepCursor.visit(sweptPerInterval, (_, map) => {
      map.stream?.expire(now);
      if (map.size === 0 && map.metaDeadline <= now) {
        this.forget(map);
      } else {
        this.#bytes += map.bytes - map.settledBytes;
        map.settledBytes = map.bytes;
      }
    });
  }
}
