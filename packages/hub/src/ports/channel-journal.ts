import type { Position } from './broker.ts';
import type { MapPublication, MapRetention } from './map-broker.ts';
import type { Publication } from '@holdfast/protocol';

/** Where a channel's stream stands. Times are Unix milliseconds, so that they hold after a restart. */
export interface JournaledStream {
  readonly epoch: string;
  /** Offset of the newest publication ever appended. */
  readonly top: number;
  /** Offset of the oldest publication that is kept; `top + 1` when there is none. */
  readonly oldest: number;
  /** Highest version accepted, 0 for none, within `versionEpoch`. */
  readonly version: number;
  readonly versionEpoch: string;
  /** When the publications expire, together. */
  readonly expireAt: number;
  /** When epoch and top are forgotten, unless the channel still has keys. */
  readonly forgetAt: number;
}

/** A publication with its offset. */
export type JournaledPublication = Publication & { readonly offset: number };

/** One key of a map. */
export interface JournaledEntry {
  readonly publication: MapPublication;
  readonly version: number;
  readonly versionEpoch: string;
  /** Subscribers were sent something else than the value. */
  readonly isIncremental: boolean;
  /** Unix milliseconds; absent for a key that stays. */
  readonly expireAt?: number;
}

/** The result that a repetition of a publish gets. */
export interface JournaledResult {
  readonly idempotencyKey: string;
  /** Absent when nothing was appended. */
  readonly position?: Position;
  /** Unix milliseconds. */
  readonly expireAt: number;
}

/** All that there is to know of one channel. */
export interface ChannelRecord {
  readonly channel: string;
  /** Absent when the channel has no stream, or has forgotten it. */
  readonly stream?: JournaledStream;
  /** How a map was used last. Absent for channels that are no maps. */
  readonly retention?: MapRetention;
  /** In offset order without a gap, from `oldest` to `top`. */
  readonly publications: readonly JournaledPublication[];
  readonly entries: readonly JournaledEntry[];
  readonly results: readonly JournaledResult[];
}

/** What became different in one channel: its publications, entries and results are added to those there are. */
export interface ChannelChange extends ChannelRecord {
  /** Publications and entries of before are gone; results stay. */
  readonly startsOver: boolean;
  readonly removedKeys: readonly string[];
  /** Unix milliseconds from when on nothing of the channel is needed; absent while it has keys. */
  readonly keepUntil?: number;
}

/**
 * Keeps the channels of one memory broker beyond the life of its process. A port: the hub knows what
 * to keep and when, an implementation where; `describeChannelJournal` of `@holdfast/hub/testing` is the
 * contract. A broker uses its journal alone, and one call after another.
 *
 * It has two parts that never mix: the *kept* channels, written by {@link commit} while they live, and
 * the *snapshot*, written once at the end and used once at the next start.
 */
export interface ChannelJournal {
  /**
   * Takes the journal over: whoever had it before can no longer write.
   * @throws when the backing service cannot be used
   */
  open(): Promise<void>;
  /** Names of the kept channels, in pages of bounded length; those whose time is over may be missing. */
  channels(): AsyncIterable<readonly string[]>;
  /** What is kept of these channels, in any order, without what has expired. Unknown ones are left out. */
  load(channels: readonly string[]): Promise<readonly ChannelRecord[]>;
  /**
   * Writes all of these changes or none; a channel occurs once. When this resolves they survive
   * whatever the implementation promises to survive, the death of the process at the least. When it
   * rejects they may be there or not: {@link load} tells.
   */
  commit(changes: readonly ChannelChange[]): Promise<void>;
  /**
   * The channels of the snapshot, if one was finished. Reading it to the end uses it up: once the
   * iteration has ended by itself, no later one, after whatever restart, finds it again.
   */
  takeSnapshot(): AsyncIterable<ChannelRecord>;
  /**
   * Writes a snapshot in place of any before, in steps of bounded size, and finishes it with the
   * channels written so far when `signal` aborts. Resolves to their number. Nothing counts until then.
   */
  saveSnapshot(records: Iterable<ChannelRecord>, signal: AbortSignal): Promise<number>;
  /** What keeps it from working; undefined when nothing does. */
  problem(): string | undefined;
  close(): Promise<void>;
}

/** The journals of a hub that runs alone: one for the streams, one for the maps. */
export interface HubJournals {
  readonly streams: ChannelJournal;
  readonly maps: ChannelJournal;
}
