import { sql, type DatabaseConnection } from 'kysely';
import type { Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import { StoreError } from './errors.ts';
import type { IdSource } from './id-source.ts';
import { insertRows } from './insert-rows.ts';
import { lockKey } from './lock-key.ts';
import type { StoreMetrics } from './metrics.ts';
import { OutboxRelay } from './outbox-relay.ts';
import type { OutboxRelayOptions } from './outbox-relay-options.ts';
import { openSession, type StoreTransaction } from './session.ts';
import type { StoreTables } from './store-module.ts';

/** Something to be published once the transaction that says so is committed. */
export interface OutboxEvent {
  readonly channel: string;
  /** Anything that JSON can say. */
  readonly data: unknown;
}

/** Events of one open transaction, in the order they were appended. */
interface PendingEvent {
  readonly channel: string;
  readonly data: string;
}

export interface OutboxOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: StoreMetrics;
  readonly ids: IdSource;
  /** Longest `data` of one event, as JSON in bytes. */
  readonly maxEventBytes: number;
}

const rowsAtOnce = 500;
const lockBuckets = 4096;
const lockBase = lockKey('holdfast:outbox') & ~BigInt(lockBuckets - 1);

/**
 * The transactional outbox: an event is committed together with the state it tells of, or not at
 * all, and published after the commit, however often that takes.
 *
 * Order: events of one channel are published in the order their transactions committed, and within
 * a transaction in the order they were appended. `outbox.spec.md` has the argument. Nothing is said
 * about the order of two channels.
 */
export class Outbox {
  readonly #engine: Engine;
  readonly #options: OutboxOptions;
  readonly #pending = new WeakMap<object, PendingEvent[]>();
  #relay: OutboxRelay | undefined;

  constructor(engine: Engine, options: OutboxOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /**
   * Adds an event to a transaction of `store.transaction`.
   * @throws {@link StoreError} `store_bad_value` when the data cannot be written as JSON or is too
   * long; `store_transaction_over` when the transaction is not an open one of this store.
   */
  append<Tables>(transaction: StoreTransaction<Tables>, event: OutboxEvent): void {
    const pending = this.#pending.get(transaction);
    if (pending === undefined) {
      throw new StoreError(
        'store_transaction_over',
        'an event was appended outside of an open transaction of this store',
      );
    }
    const data = toJson(event.data);
    const bytes = Buffer.byteLength(data);
    if (bytes > this.#options.maxEventBytes) {
      throw new StoreError(
        'store_bad_value',
        `an event of ${bytes} bytes is over the limit of ${this.#options.maxEventBytes}`,
      );
    }
    pending.push({ channel: event.channel, data });
  }

  /**
   * Starts publishing: what an earlier run left over first. Of all processes that share a
   * PostgreSQL store and have called this one publishes at a time, the leader; another takes over
   * when it dies. Retention, too, is the leader's.
   */
  start(options: OutboxRelayOptions): void {
    if (this.#relay !== undefined) throw new Error('the outbox has been started already');
    this.#relay = new OutboxRelay(this.#engine, { ...this.#options, ...options });
    this.#relay.start();
  }

  /**
   * Waits until nothing is left to publish, at most for `timeoutMs`. For a stop in order, so that the
   * last events need not wait for the next start.
   * @returns whether all is published; true at once in a process that does not publish
   */
  drain(timeoutMs: number): Promise<boolean> {
    return this.#relay?.drain(timeoutMs) ?? Promise.resolve(true);
  }

  /** Stops publishing after what is under way; the rest is published after the next start. */
  async close(): Promise<void> {
    await this.#relay?.close();
    this.#relay = undefined;
  }

  /** Allows {@link append} for a transaction that begins. */
  begin(transaction: object): void {
    this.#pending.set(transaction, []);
  }

  /**
   * Writes the transaction's events as its last act, and refuses more.
   * @returns how many there are
   */
  async flush(transaction: object, connection: DatabaseConnection): Promise<number> {
    const pending = this.#pending.get(transaction) ?? [];
    this.#pending.delete(transaction);
    if (pending.length === 0) return 0;
    const buckets = new Set(pending.map((event) => bucketOf(event.channel)));
    const locked = this.#engine.whenLocked([...buckets].map((bucket) => lockBase + BigInt(bucket)));
    const db = openSession<StoreTables>(this.#engine, connection);
    const now = this.#options.clock.now();
    for (let start = 0; start < pending.length; start += rowsAtOnce) {
      const rows = pending.slice(start, start + rowsAtOnce).map(({ channel, data }) => ({
        id: this.#options.ids.next(),
        channel,
        data,
        created_at: now,
      }));
      const insert = insertRows(this.#engine.name, 'outbox', rows);
      await (locked === undefined ? insert : sql`${insert} where ${locked}`).execute(db);
    }
    return pending.length;
  }

  /** Called when a transaction with events is committed. */
  committed(count: number): void {
    this.#options.metrics.outbox.appended += count;
    this.#engine.wakeLeader();
  }
}

function toJson(data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch (error) {
    throw new StoreError('store_bad_value', 'an event cannot be written as JSON', { cause: error });
  }
  if (json === undefined) {
    throw new StoreError('store_bad_value', `an event of type ${typeof data} has no JSON form`);
  }
  return json;
}

/** FNV-1a. Two channels of one bucket only wait for each other's commit. */
function bucketOf(channel: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < channel.length; index += 1) {
    hash = Math.imul(hash ^ channel.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % lockBuckets;
}
