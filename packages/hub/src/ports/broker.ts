import type { ClientInfo, Publication } from '@holdfast/protocol';

/** Where a stream stands: the offset of its newest publication within one epoch. */
export interface Position {
  /** Offsets count from 1; 0 means that nothing has been published in this epoch. */
  readonly offset: number;
  /** Opaque and short; changes whenever history was lost, so offsets of two epochs never compare. */
  readonly epoch: string;
}

/** How one publication is kept, and when it is suppressed. */
export interface BrokerPublishOptions {
  /** Publications kept; 0 publishes without history (and without a position). */
  readonly historySize: number;
  /**
   * The publications of a channel expire together, this long after the last publish; 0 publishes
   * without history.
   */
  readonly historyTtlMs: number;
  /**
   * How long epoch and top offset are kept after the last publish or read, at least as long as the
   * publications. Then the channel starts over with a new epoch.
   */
  readonly historyMetaTtlMs: number;
  /** A second publish with the same key within `idempotencyTtlMs` returns the first one's position. */
  readonly idempotencyKey?: string;
  /** @defaultValue 300000 */
  readonly idempotencyTtlMs?: number;
  /** A publish whose version is not above the channel's last version is suppressed. Needs history. */
  readonly version?: number;
  /**
   * Versions of different epochs never compare: a new epoch is always accepted. A version without
   * an epoch compares with the last one, whatever its epoch was.
   */
  readonly versionEpoch?: string;
  /** Hand the previous publication to {@link BrokerEvents.publication}, so that nodes can make deltas. */
  readonly withPrevious?: boolean;
  /** Client id that must not receive this publication. */
  readonly excludeClient?: string;
}

/** What became of a publish. */
export interface BrokerPublishResult {
  /** Absent when the publish kept no history. */
  readonly position?: Position;
  /** Set when nothing was published because an earlier publish already said the same or newer. */
  readonly suppressed?: 'idempotency' | 'version';
}

/** Which part of a stream is read. */
export interface HistoryFilter {
  /** Exclusive start, in the direction of reading. Only the offset matters here; comparing epochs is the caller's business. */
  readonly sinceOffset?: number;
  /** Most publications returned; -1 for all, 0 for the position alone. */
  readonly limit: number;
  readonly reverse?: boolean;
  /**
   * Keeps the epoch of an empty stream alive: reading creates the stream when there is none, so that a
   * later recovery can prove that nothing was missed.
   */
  readonly historyMetaTtlMs: number;
}

/** Publications of a stream, and where it is. */
export interface HistoryPage {
  /** In offset order, newest first when reversed. */
  readonly publications: readonly Publication[];
  /** Top of the stream at the moment of the read, one consistent snapshot with `publications`. */
  readonly position: Position;
}

/** A publication on its way to this node's subscribers. */
export interface BrokerPublication {
  readonly channel: string;
  /** As it is in history: with its offset, and with the time when it was accepted. */
  readonly publication: Publication;
  /** Absent for a publish without history. */
  readonly position?: Position;
  /** The publication before this one in the stream, when the publisher asked for it and it is known. */
  readonly previous?: Publication;
  readonly excludeClient?: string;
}

/** What a broker tells the hub. Handlers are synchronous and never throw. */
export interface BrokerEvents {
  publication(event: BrokerPublication): void;
  join(channel: string, info: ClientInfo): void;
  leave(channel: string, info: ClientInfo): void;
  /**
   * Deliveries may have been lost (the link to the broker broke). The hub then checks the position
   * of every positioned subscription of these channels, or of all when none is named.
   */
  interrupted(channels?: readonly string[]): void;
}

/**
 * Publishes into channels and keeps their streams. A port: the memory implementation lives in the
 * hub, others in their own packages, and `describeBroker` of `@holdfast/hub/testing` is the contract.
 *
 * Callers may rely on:
 * - **atomicity**: a publication is in history, has its offset and is on its way to subscribers, or
 *   none of it; concurrent publishes to one channel get consecutive offsets;
 * - **order**: one node sees the publications of a channel in offset order;
 * - **delivery at most once** per node: lost deliveries are found by offset, not by the broker;
 * - **a position names content**: the same epoch and offset always mean the same publication.
 *
 * Not promised: order between channels, or delivery to a node that subscribed after the publish.
 */
export interface Broker {
  /** Begins delivering events. Rejects when the backing service cannot be reached. */
  start(events: BrokerEvents): Promise<void>;
  /** When this resolves, later publications of the channel reach this node. Idempotent. */
  subscribe(channel: string): Promise<void>;
  /** Idempotent. Deliveries already under way may still arrive. */
  unsubscribe(channel: string): Promise<void>;
  publish(
    channel: string,
    publication: Publication,
    options: BrokerPublishOptions,
  ): Promise<BrokerPublishResult>;
  publishJoin(channel: string, info: ClientInfo): Promise<void>;
  publishLeave(channel: string, info: ClientInfo): Promise<void>;
  history(channel: string, filter: HistoryFilter): Promise<HistoryPage>;
  /** Drops the publications; epoch and top offset stay. */
  removeHistory(channel: string): Promise<void>;
  /** Names what is not working, or undefined when the broker can serve. Feeds readiness. */
  problem(): string | undefined;
  /** Names what does not work although the broker serves, without addresses. @defaultValue nothing */
  concern?(): string | undefined;
  close(): Promise<void>;
}
