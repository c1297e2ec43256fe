import type { Bytes, Publication } from '@holdfast/protocol';
import type { BrokerPublication, Position } from './broker.ts';

/**
 * How the keys of a map channel are kept. Three modes come out of it: ephemeral (no stream),
 * recoverable (a stream, keys expire) and persistent (a stream, keys stay).
 */
export interface MapRetention {
  /** Changes kept in the channel's stream; 0: no stream, and no positions. */
  readonly streamSize: number;
  /** The changes of a channel expire together, this long after the last one. */
  readonly streamTtlMs: number;
  /** How long a key lives after its last publish or touch; 0: for ever. */
  readonly keyTtlMs: number;
  /**
   * How long epoch and top offset are kept after the last use of a channel without keys, at least as
   * long as the changes. Then the channel starts over with a new epoch.
   */
  readonly metaTtlMs: number;
}

/** One key's value, or its change. */
export type MapPublication = Publication & { readonly key: string };

/** How a change of a map is kept, and when it is suppressed. */
export interface MapChangeOptions {
  readonly retention: MapRetention;
  /**
   * A second change with the same key in the channel within `idempotencyTtlMs` returns the first
   * one's position. Only changes that happened are remembered.
   */
  readonly idempotencyKey?: string;
  /** @defaultValue 300000 */
  readonly idempotencyTtlMs?: number;
  /**
   * Change only what is still as the caller read it: the offset of the key's entry and the channel's
   * epoch. A key that is not there, or a channel without a stream, never matches.
   */
  readonly expectedPosition?: Position;
  /** Client id that must not receive this change. */
  readonly excludeClient?: string;
}

/** How a key of a map is written, and when it is not. */
export interface MapPublishOptions extends MapChangeOptions {
  /** Write only a key that is not there, or only one that is. @defaultValue either */
  readonly keyMode?: 'if_new' | 'if_exists';
  /** A publish whose version is not above the key's last version is suppressed. */
  readonly version?: number;
  /**
   * Versions of different epochs never compare: a new epoch is always accepted. A version without
   * an epoch compares with the last one, whatever its epoch was. Both are forgotten with the key.
   */
  readonly versionEpoch?: string;
  /** Goes to the stream and to subscribers instead of the data, which is what the key then has. */
  readonly streamData?: Bytes;
  /** Hand the key's value before this one to {@link MapBrokerEvents.publication}, for deltas. */
  readonly withPrevious?: boolean;
}

/** Why a change did not happen. Tested in this order. */
export type MapSuppression =
  | 'idempotency'
  | 'key_exists'
  | 'key_not_found'
  | 'position_mismatch'
  | 'version';

/** What became of a change of a map. */
export interface MapChangeResult {
  /**
   * Of this change; of the first one when suppressed by idempotency; the top of the stream when
   * suppressed for another reason. Absent when the channel keeps no stream.
   */
  readonly position?: Position;
  readonly suppressed?: MapSuppression;
  /** The key's value, when its position was not the expected one and there is one. */
  readonly current?: MapPublication;
}

/** Which keys of a map are read. */
export interface MapStateFilter {
  readonly retention: MapRetention;
  /** Most entries returned; -1 for all, 0 for the position alone. */
  readonly limit: number;
  /** Where the page before ended. @defaultValue from the beginning */
  readonly cursor?: string;
  /**
   * Leaves out entries that changed after this offset: the position of the first page, repeated for
   * the pages after it. Comparing epochs is the caller's business.
   */
  readonly untilOffset?: number;
  /** Lowest score first. @defaultValue false */
  readonly asc?: boolean;
  /** Only this key; `cursor`, `limit` and `untilOffset` mean nothing then. */
  readonly key?: string;
}

/** Keys of a map with their values, and where its stream is. */
export interface MapStatePage {
  /** By score, highest first; those of equal score by key. Reversed as a whole with `asc`. */
  readonly entries: readonly MapPublication[];
  /** Top of the stream at the moment of the read, one snapshot with `entries`. Absent: no stream. */
  readonly position?: Position;
  /** For the next page; empty when this is the last one. */
  readonly cursor: string;
}

/** Which part of the changes of a map is read. */
export interface MapStreamFilter {
  readonly retention: MapRetention;
  /** Exclusive start, in the direction of reading. Comparing epochs is the caller's business. */
  readonly sinceOffset?: number;
  /** Most changes returned; -1 for all, 0 for the position alone. */
  readonly limit: number;
  readonly reverse?: boolean;
}

/** Changes of a map, and where its stream is. */
export interface MapStreamPage {
  /** In offset order, newest first when reversed. */
  readonly publications: readonly MapPublication[];
  /** One snapshot with `publications`. Absent: the channel keeps no stream. */
  readonly position?: Position;
}

/** How large a map is. */
export interface MapStats {
  readonly keys: number;
}

/** What a map broker tells the hub. Handlers are synchronous and never throw. */
export interface MapBrokerEvents {
  /**
   * A key changed. A removal, also by expiry, has `removed`, no data, and the tags of the value that
   * is gone, so that a tags filter lets it through to those who saw the value. `previous` is the
   * key's value that subscribers last had, when the publisher asked for it and it is known.
   */
  publication(event: BrokerPublication): void;
  /** The channel lost its state as a whole: subscribers have to read it again. */
  cleared(channel: string): void;
  /**
   * Deliveries may have been lost. The hub then checks the position of every subscription of these
   * channels, or of all when none is named.
   */
  interrupted(channels?: readonly string[]): void;
}

/**
 * Keeps a value per key for each channel, with a stream of changes beside it. A port: the memory
 * implementation lives in the hub, others in their own packages, and `describeMapBroker` of
 * `@holdfast/hub/testing` is the contract.
 *
 * Callers may rely on:
 * - **atomicity**: a change is in state and stream, has its offset and is on its way to subscribers,
 *   or none of it; concurrent changes of one channel get consecutive offsets;
 * - **state and stream are one**: all pages of the state until an offset, then the changes after that
 *   offset, make the state at the top of the stream, as long as the stream reaches back that far and
 *   the epoch is the same;
 * - **order**: one node sees the changes of a channel in offset order, or without a stream in the
 *   order in which they happened;
 * - **delivery at most once** per node: lost deliveries are found by offset, not by the broker;
 * - **keys expire by themselves**: reads never show a key whose time is over, and its removal is
 *   published within about a second; a channel with keys is never forgotten.
 *
 * Not promised: order between channels, delivery to a node that subscribed after the change, or
 * pages of a channel without a stream being one snapshot (each page is one).
 */
export interface MapBroker {
  /** Begins delivering events. Rejects when the backing service cannot be reached. */
  start(events: MapBrokerEvents): Promise<void>;
  /** When this resolves, later changes of the channel reach this node. Idempotent. */
  subscribe(channel: string): Promise<void>;
  /** Idempotent. Deliveries already under way may still arrive. */
  unsubscribe(channel: string): Promise<void>;
  /**
   * Writes the key's value as a whole.
   * @throws ReplyError 106 when the broker has no room for it
   */
  publish(
    channel: string,
    publication: MapPublication,
    options: MapPublishOptions,
  ): Promise<MapChangeResult>;
  remove(channel: string, key: string, options: MapChangeOptions): Promise<MapChangeResult>;
  /**
   * Gives a key its full time again, without a change that anybody hears of.
   * @returns false when the key is not there (any more)
   */
  touch(channel: string, key: string, retention: MapRetention): Promise<boolean>;
  /** @throws ReplyError 107 for a cursor that no page ended with */
  readState(channel: string, filter: MapStateFilter): Promise<MapStatePage>;
  /** Reading creates the stream when there is none, so that a position given out stays valid. */
  readStream(channel: string, filter: MapStreamFilter): Promise<MapStreamPage>;
  stats(channel: string): Promise<MapStats>;
  /** Drops keys, stream and epoch, and tells every node. Idempotent. */
  clear(channel: string): Promise<void>;
  /** Names what is not working, or undefined when the broker can serve. Feeds readiness. */
  problem(): string | undefined;
  /** Names what does not work although the broker serves, without addresses. @defaultValue nothing */
  concern?(): string | undefined;
  close(): Promise<void>;
}
