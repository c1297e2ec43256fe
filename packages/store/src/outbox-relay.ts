import { sql } from 'kysely';
import { BlockedChannels } from './blocked-channels.ts';
import { delay, withDeadline, type Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import { HandledRows, type OutboxRow } from './handled-rows.ts';
import type { OutboxMetrics, StoreMetrics } from './metrics.ts';
import { OutboxLimit } from './outbox-limit.ts';
import { relaySettings, type OutboxRelayOptions } from './outbox-relay-options.ts';
import { openSession } from './session.ts';
import type { StoreTables } from './store-module.ts';
import { inList } from './in-list.ts';

const pollIntervalMs = 1000;
const drainPollMs = 20;
const fetchRows = 500;
const maxBlockedChannels = 256;
/** Rows that wait to be deleted; with more no others are published. */
const maxHandled = 5000;

/**
 * Publishes what waits in the outbox, in the process that is the leader. `outbox.spec.md` has its
 * states and invariants.
 */
export class OutboxRelay {
  readonly #engine: Engine;
  readonly #options: Required<OutboxRelayOptions>;
  readonly #clock: Clock;
  readonly #metrics: OutboxMetrics;
  /** Channels whose rows are being published. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #blocked: BlockedChannels;
  readonly #handled: HandledRows;
  readonly #limit: OutboxLimit;
  /** There may be rows that the last look left out. */
  #owesLook = false;
  #running: Promise<void> | undefined;
  #runAgain = false;
  readonly #closing = new AbortController();
  #stopPolling: (() => void) | undefined;
  #resign: (() => Promise<void>) | undefined;

  constructor(
    engine: Engine,
    options: OutboxRelayOptions & {
      readonly clock: Clock;
      readonly random: () => number;
      readonly metrics: StoreMetrics;
    },
  ) {
    const { clock, random } = options;
    const metrics = options.metrics.outbox;
    this.#engine = engine;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#options = relaySettings(options);
    this.#blocked = new BlockedChannels({ clock, random, metrics });
    this.#handled = new HandledRows(engine, {
      ...this.#options,
      clock,
      closing: this.#closing.signal,
      looked: () => this.#running,
      onDeleted: () => {
        if (this.#owesLook) this.#wake();
      },
    });
    this.#limit = new OutboxLimit(engine, { ...this.#options, clock, metrics });
  }

  start(): void {
    this.#stopPolling = this.#clock.every(pollIntervalMs, () => this.#poll());
    this.#resign = this.#engine.runForLeader(() => this.#wake());
  }

  async drain(timeoutMs: number): Promise<boolean> {
    const deadline = this.#clock.monotonic() + timeoutMs;
    while (this.#engine.isLeader() && !this.#isClosed) {
      // A database that is away is no reason to end early: it may be back in time.
      if (await this.#isEmpty().catch(() => false)) return true;
      if (this.#clock.monotonic() >= deadline) return false;
      this.#wake();
      await delay(this.#clock, drainPollMs);
    }
    return true;
  }

  async #isEmpty(): Promise<boolean> {
    const row = await this.#engine.read((connection) =>
      openSession<StoreTables>(this.#engine, connection)
        .selectFrom('outbox')
        .select('seq')
        .limit(1)
        .executeTakeFirst(),
    );
    return row === undefined;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopPolling?.();
    await this.#running;
    await Promise.all(this.#busy.values());
    await this.#handled.deleteAll();
    await this.#resign?.();
  }

  #wake(): void {
    if (this.#isClosed || !this.#engine.isLeader()) return;
    if (this.#running !== undefined) {
      this.#runAgain = true;
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#runAgain) return;
      this.#runAgain = false;
      this.#wake();
    });
  }

  async #run(): Promise<void> {
    // Channels that are done in the same turn of the event loop share a look, and so do commits: what
    // asked for one until here is in it.
    await new Promise((resolve) => setImmediate(resolve));
    this.#runAgain = false;
    try {
      await this.#dispatch();
    } catch (error) {
      this.#options.onProblem({ message: 'the outbox cannot be read', cause: error });
    }
  }

  #poll(): void {
    if (!this.#engine.isLeader()) {
      this.#metrics.waiting = 0;
      this.#metrics.oldestMs = 0;
      return;
    }
    this.#wake();
    void this.#limit.enforce();
  }

  /** Reads the oldest rows of channels that are free, and starts publishing them. */
  async #dispatch(): Promise<void> {
    const busy = [...this.#busy.keys()];
    const blocked = this.#blocked.waiting();
    this.#owesLook = busy.length > 0;
    // Too many failing channels mean a broker that is away: no new ones until one succeeds.
    const room = Math.min(
      this.#options.maxChannels - busy.length,
      maxBlockedChannels - blocked.length,
    );
    const isBehind = this.#handled.size >= maxHandled;
    if (isBehind) this.#owesLook = true;
    if (room <= 0 || isBehind) return;
    const limit = fetchRows + this.#handled.size;
    const rows = await this.#fetch([...busy, ...blocked], limit);
    if (!this.#engine.isLeader()) return;
    const unhandled = rows.filter((row) => !this.#handled.has(row));
    let started = 0;
    for (const [channel, channelRows] of Map.groupBy(unhandled, (row) => row.channel)) {
      if (this.#isClosed) return;
      if (started >= room) {
        this.#owesLook = true;
        return;
      }
      started += 1;
      this.#busy.set(channel, this.#publishChannel(channel, channelRows));
    }
    if (rows.length === limit) this.#runAgain = true;
  }

  #fetch(excluded: readonly string[], limit: number): Promise<readonly OutboxRow[]> {
    return this.#engine.readOnce((connection) => {
      let query = openSession<StoreTables>(this.#engine, connection)
        .selectFrom('outbox')
        .select(['seq', 'id', 'channel', 'data', 'created_at'])
        .orderBy('seq')
        .limit(limit);
      if (excluded.length > 0) {
        const list = inList(this.#engine.name, excluded);
        query = query.where(sql<boolean>`not (channel ${list})`);
      }
      return query.execute();
    });
  }

  /** One row after the other; the first that fails leaves the rest for later. Never rejects. */
  async #publishChannel(channel: string, rows: readonly OutboxRow[]): Promise<void> {
    for (const row of rows) {
      if (this.#isClosed) break;
      try {
        await this.#publish(row);
        this.#handled.addPublished(row);
        this.#metrics.published += 1;
        if (this.#blocked.unblock(channel)) this.#owesLook = true;
        // The rest is for whoever leads now. Not asked before the first: the channel is not busy yet.
        if (!this.#engine.isLeader()) break;
      } catch (error) {
        if (this.#options.isPermanent(error)) {
          this.#handled.addRejected(row, error);
          this.#metrics.rejected += 1;
          this.#options.onDiscarded({ reason: 'rejected', channels: [channel], count: 1, error });
          continue;
        }
        this.#metrics.failures += 1;
        if (this.#blocked.block(channel) === 1) {
          this.#options.onProblem({ message: `publishing to ${channel} failed`, cause: error });
        }
        break;
      }
    }
    this.#busy.delete(channel);
    if (!this.#isClosed) void this.#handled.deleteAll();
    if (this.#owesLook) this.#wake();
  }

  async #publish({ id, channel, data }: OutboxRow): Promise<void> {
    const { publish, publishTimeoutMs } = this.#options;
    const key = { idempotencyKey: `outbox:${id}` };
    await withDeadline(publish(channel, Buffer.from(data), key), publishTimeoutMs, {
      clock: this.#clock,
      onDeadline: () => new Error('the broker did not answer in time'),
    });
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }
}
