import { sql, type DatabaseConnection } from 'kysely';
import { delay, withDeadline, type Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import type { OutboxMetrics, StoreMetrics } from './metrics.ts';
import { openSession } from './session.ts';
import type { StoreTables } from './store-module.ts';
import { valueList } from './value-list.ts';

/**
 * Hands an event to the broker and resolves when the broker has it. Called again with the same key
 * when that is not certain, so the broker must drop repetitions.
 */
export type PublishEvent = (
  channel: string,
  /** JSON. */
  data: Uint8Array,
  options: { readonly idempotencyKey: string },
) => Promise<unknown>;

/** Why events were given up. */
export interface DiscardedEvents {
  /** `rejected`: the broker refused one for good. `age` and `count`: the limits of the outbox. */
  readonly reason: 'rejected' | 'age' | 'count';
  readonly channels: readonly string[];
  readonly count: number;
  /** What the broker said. */
  readonly error?: unknown;
}

export interface OutboxRelayOptions {
  readonly publish: PublishEvent;
  /**
   * Whether trying again cannot help.
   * @defaultValue errors that say so with `temporary: false` or `retryable: false`
   */
  readonly isPermanent?: (error: unknown) => boolean;
  /** How long the broker may take for one event. @defaultValue 10000 */
  readonly publishTimeoutMs?: number;
  /** Channels published at the same time. @defaultValue 128 */
  readonly maxChannels?: number;
  /** Events older than this are dropped: their readers have long read the state itself. @defaultValue 86400000 (a day) */
  readonly maxAgeMs?: number;
  /** When more events wait than this, the oldest are dropped. @defaultValue 1000000 */
  readonly maxWaiting?: number;
  /** Refused events kept for inspection. @defaultValue 1000 */
  readonly maxDeadLetters?: number;
  /** Told when events were given up, so that readers of the channels can be told to read the state. */
  readonly onDiscarded?: (event: DiscardedEvents) => void;
  /** Told when the database or the broker cannot be used; the relay goes on trying. */
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly channel: string;
  readonly data: string;
  readonly created_at: number;
}

interface RejectedRow extends Row {
  readonly reason: string;
}

interface Blocked {
  readonly attempts: number;
  readonly until: number;
}

const pollIntervalMs = 1000;
const drainPollMs = 20;
const fetchRows = 500;
const maxBlockedChannels = 256;
/** Rows that wait to be deleted; with more no others are published. */
const maxHandled = 5000;
const minBackoffMs = 500;
const maxBackoffMs = 30_000;
const discardRows = 1000;
const maxMeasurePauseMs = 10_000;

/**
 * Publishes what waits in the outbox, in the process that is the leader. `outbox.spec.md` has its
 * states and invariants.
 */
export class OutboxRelay {
  readonly #engine: Engine;
  readonly #options: Required<Omit<OutboxRelayOptions, 'publish'>> & OutboxRelayOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #metrics: OutboxMetrics;
  /** Channels whose rows are being published. */
  readonly #busy = new Map<string, Promise<void>>();
  /** Channels whose last publish failed. */
  readonly #blocked = new Map<string, Blocked>();
  /**
   * Ids of rows that were published or refused, and may still be read. Not their numbers: a failover
   * that loses the last moments gives these out again.
   */
  readonly #handled = new Set<string>();
  /** Those of them that are to be deleted. */
  #published: Row[] = [];
  #rejected: RejectedRow[] = [];
  #deleting: Promise<void> | undefined;
  /** There may be rows that the last look left out. */
  #owesLook = false;
  #running: Promise<void> | undefined;
  #runAgain = false;
  readonly #closing = new AbortController();
  #measureAgainAt = 0;
  #isMeasuring = false;
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
    this.#engine = engine;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#metrics = options.metrics.outbox;
    this.#options = {
      publish: options.publish,
      isPermanent: options.isPermanent ?? saysPermanent,
      publishTimeoutMs: options.publishTimeoutMs ?? 10_000,
      maxChannels: options.maxChannels ?? 128,
      maxAgeMs: options.maxAgeMs ?? 86_400_000,
      maxWaiting: options.maxWaiting ?? 1_000_000,
      maxDeadLetters: options.maxDeadLetters ?? 1000,
      onDiscarded: options.onDiscarded ?? (() => {}),
      onProblem: options.onProblem ?? (() => {}),
    };
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
    await (this.#deleting ?? this.#deleteHandled());
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
    void this.#limit();
  }

  /** Reads the oldest rows of channels that are free, and starts publishing them. */
  async #dispatch(): Promise<void> {
    const now = this.#clock.monotonic();
    const excluded = [...this.#busy.keys()];
    this.#owesLook = excluded.length > 0;
    let blocked = 0;
    for (const [channel, { until }] of this.#blocked) {
      if (until <= now) continue;
      excluded.push(channel);
      blocked += 1;
    }
    // Too many failing channels mean a broker that is away: no new ones until one succeeds.
    const room = Math.min(
      this.#options.maxChannels - this.#busy.size,
      maxBlockedChannels - blocked,
    );
    const isBehind = this.#handled.size >= maxHandled;
    if (isBehind) this.#owesLook = true;
    if (room <= 0 || isBehind) return;
    const limit = fetchRows + this.#handled.size;
    const rows = await this.#fetch(excluded, limit);
    const unhandled = rows.filter(({ id }) => !this.#handled.has(id));
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

  #fetch(excluded: readonly string[], limit: number): Promise<readonly Row[]> {
    return this.#engine.readOnce((connection) => {
      let query = openSession<StoreTables>(this.#engine, connection)
        .selectFrom('outbox')
        .select(['seq', 'id', 'channel', 'data', 'created_at'])
        .orderBy('seq')
        .limit(limit);
      if (excluded.length > 0) {
        const list = valueList(this.#engine.name, excluded);
        query = query.where(sql<boolean>`channel not in ${list}`);
      }
      return query.execute();
    });
  }

  /** One row after the other; the first that fails leaves the rest for later. Never rejects. */
  async #publishChannel(channel: string, rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      if (this.#isClosed) break;
      try {
        await withDeadline(
          this.#options.publish(channel, Buffer.from(row.data), {
            idempotencyKey: `outbox:${row.id}`,
          }),
          this.#options.publishTimeoutMs,
          { clock: this.#clock, onDeadline: () => new Error('the broker did not answer in time') },
        );
        this.#handled.add(row.id);
        this.#published.push(row);
        this.#metrics.published += 1;
        this.#unblock(channel);
      } catch (error) {
        if (this.#options.isPermanent(error)) {
          this.#handled.add(row.id);
          this.#rejected.push({ ...row, reason: String(error).slice(0, 500) });
          this.#metrics.rejected += 1;
          this.#options.onDiscarded({ reason: 'rejected', channels: [channel], count: 1, error });
          continue;
        }
        this.#metrics.failures += 1;
        this.#block(channel, error);
        break;
      }
    }
    this.#busy.delete(channel);
    if (this.#hasHandled && !this.#isClosed) this.#deleting ??= this.#deleteHandled();
    if (this.#owesLook) this.#wake();
  }

  #block(channel: string, error: unknown): void {
    const attempts = (this.#blocked.get(channel)?.attempts ?? 0) + 1;
    const ceiling = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempts, 10));
    const waitMs = minBackoffMs + this.#random() * (ceiling - minBackoffMs);
    this.#blocked.set(channel, { attempts, until: this.#clock.monotonic() + waitMs });
    this.#metrics.blockedChannels = this.#blocked.size;
    if (attempts === 1) {
      this.#options.onProblem({ message: `publishing to ${channel} failed`, cause: error });
    }
  }

  /** The first success after failures says that the broker is back: the others need not wait. */
  #unblock(channel: string): void {
    if (!this.#blocked.delete(channel)) return;
    this.#owesLook = true;
    for (const [other, { attempts }] of this.#blocked) {
      this.#blocked.set(other, { attempts, until: 0 });
    }
    this.#metrics.blockedChannels = this.#blocked.size;
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get #hasHandled(): boolean {
    return this.#published.length > 0 || this.#rejected.length > 0;
  }

  /**
   * Deletes rows that are published or refused, beside what is published meanwhile; those share the
   * next transaction. While the database is away it tries again every second: a row that is remembered
   * as published must not be read and published once more after the broker has forgotten its key.
   * Never rejects.
   */
  async #deleteHandled(): Promise<void> {
    while (this.#hasHandled) {
      const published = this.#published;
      const rejected = this.#rejected;
      this.#published = [];
      this.#rejected = [];
      try {
        await this.#engine.write((connection) => this.#remove(connection, published, rejected));
      } catch (error) {
        this.#published.push(...published);
        this.#rejected.push(...rejected);
        this.#options.onProblem({ message: 'published events cannot be deleted', cause: error });
        await delay(this.#clock, pollIntervalMs, this.#closing.signal);
        // A stop waits for one attempt.
        if (this.#isClosed) break;
        continue;
      }
      // A look that began before the rows were gone may still bring them.
      await this.#running;
      for (const { id } of [...published, ...rejected]) this.#handled.delete(id);
    }
    this.#deleting = undefined;
    if (this.#owesLook) this.#wake();
  }

  async #remove(
    connection: DatabaseConnection,
    published: readonly Row[],
    rejected: readonly RejectedRow[],
  ): Promise<void> {
    const db = openSession<StoreTables>(this.#engine, connection);
    const handled = [...published, ...rejected];
    const { name } = this.#engine;
    const seqs = valueList(
      name,
      handled.map(({ seq }) => seq),
    );
    const ids = valueList(
      name,
      handled.map(({ id }) => id),
    );
    await sql`delete from outbox where seq in ${seqs} and id in ${ids}`.execute(db);
    if (rejected.length === 0) return;
    for (const row of rejected) {
      await db
        .insertInto('outbox_dead')
        .values({ ...row, died_at: this.#clock.now() })
        .onConflict((conflict) => conflict.column('seq').doNothing())
        .execute();
    }
    await sql`delete from outbox_dead where seq not in (
      select seq from outbox_dead order by seq desc limit ${this.#options.maxDeadLetters}
    )`.execute(db);
  }

  /** Measures the lag, and drops what is too old or too much. */
  async #limit(): Promise<void> {
    const { maxAgeMs, maxWaiting } = this.#options;
    const startedAt = this.#clock.monotonic();
    if (this.#isMeasuring || startedAt < this.#measureAgainAt) return;
    this.#isMeasuring = true;
    try {
      const { waiting, oldest } = await this.#measure();
      this.#metrics.waiting = waiting;
      this.#metrics.oldestMs = waiting === 0 ? 0 : Math.max(0, this.#clock.now() - (oldest ?? 0));
      if (waiting > maxWaiting) await this.#discard('count', waiting - maxWaiting);
      else if (this.#metrics.oldestMs > maxAgeMs) await this.#discard('age', discardRows);
    } catch (error) {
      this.#options.onProblem({ message: 'the outbox cannot be measured', cause: error });
    } finally {
      this.#isMeasuring = false;
      // Counting a long backlog must not become a load of its own.
      const now = this.#clock.monotonic();
      this.#measureAgainAt = now + Math.min((now - startedAt) * 20, maxMeasurePauseMs);
    }
  }

  #measure(): Promise<{ waiting: number; oldest: number | null }> {
    return this.#engine.read(async (connection) => {
      const { rows } = await sql<{ waiting: number; oldest: number | null }>`
        select count(*) as waiting, min(created_at) as oldest from outbox`.execute(
        openSession<StoreTables>(this.#engine, connection),
      );
      return rows[0] ?? { waiting: 0, oldest: null };
    });
  }

  async #discard(reason: 'age' | 'count', atMost: number): Promise<void> {
    const rows = await this.#engine.write(async (connection) => {
      const db = openSession<StoreTables>(this.#engine, connection);
      let query = db
        .selectFrom('outbox')
        .select(['seq', 'channel'])
        .orderBy('seq')
        .limit(Math.min(atMost, discardRows));
      if (reason === 'age') {
        query = query.where('created_at', '<', this.#clock.now() - this.#options.maxAgeMs);
      }
      const found = await query.execute();
      const seqs = found.map((row) => row.seq);
      await sql`delete from outbox where seq in ${valueList(this.#engine.name, seqs)}`.execute(db);
      return found;
    });
    if (rows.length === 0) return;
    this.#metrics.discarded += rows.length;
    const channels = [...new Set(rows.map((row) => row.channel))];
    this.#options.onDiscarded({ reason, channels, count: rows.length });
    if (atMost > rows.length && rows.length === discardRows) {
      await this.#discard(reason, atMost - rows.length);
    }
  }
}

function saysPermanent(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { temporary, retryable } = error as { temporary?: unknown; retryable?: unknown };
  return temporary === false || retryable === false;
}
