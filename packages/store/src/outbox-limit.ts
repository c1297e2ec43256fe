import { sql } from 'kysely';
import type { Clock } from './clock.ts';
import type { Engine } from './engine.ts';
import type { OutboxMetrics } from './metrics.ts';
import type { OutboxRelayOptions } from './outbox-relay-options.ts';
import { openSession } from './session.ts';
import type { StoreTables } from './store-module.ts';
import { inList } from './in-list.ts';

const discardRows = 1000;
const maxMeasurePauseMs = 10_000;

export interface OutboxLimitOptions extends Required<
  Pick<OutboxRelayOptions, 'maxAgeMs' | 'maxWaiting' | 'onDiscarded' | 'onProblem'>
> {
  readonly clock: Clock;
  readonly metrics: OutboxMetrics;
}

/** Keeps the outbox from growing without bound while nothing can be published. */
export class OutboxLimit {
  readonly #engine: Engine;
  readonly #options: OutboxLimitOptions;
  #measureAgainAt = 0;
  #isMeasuring = false;

  constructor(engine: Engine, options: OutboxLimitOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Measures the lag, unless that was done just now, and drops what is too old or too much. Never rejects. */
  async enforce(): Promise<void> {
    const { clock, maxAgeMs, maxWaiting, metrics, onProblem } = this.#options;
    const startedAt = clock.monotonic();
    if (this.#isMeasuring || startedAt < this.#measureAgainAt) return;
    this.#isMeasuring = true;
    try {
      const { waiting, oldest } = await this.#measure();
      metrics.waiting = waiting;
      metrics.oldestMs = waiting === 0 ? 0 : Math.max(0, clock.now() - (oldest ?? 0));
      if (waiting > maxWaiting) await this.#discard('count', waiting - maxWaiting);
      else if (metrics.oldestMs > maxAgeMs) await this.#discard('age', discardRows);
    } catch (error) {
      onProblem({ message: 'the outbox cannot be measured', cause: error });
    } finally {
      this.#isMeasuring = false;
      // Counting a long backlog must not become a load of its own.
      const now = clock.monotonic();
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
    const { clock, maxAgeMs, metrics, onDiscarded } = this.#options;
    const rows = await this.#engine.write(async (connection) => {
      const db = openSession<StoreTables>(this.#engine, connection);
      let query = db
        .selectFrom('outbox')
        .select(['seq', 'channel'])
        .orderBy('seq')
        .limit(Math.min(atMost, discardRows));
      if (reason === 'age') query = query.where('created_at', '<', clock.now() - maxAgeMs);
      const found = await query.execute();
      const seqs = found.map((row) => row.seq);
      await sql`delete from outbox where seq ${inList(this.#engine.name, seqs)}`.execute(db);
      return found;
    });
    if (rows.length === 0) return;
    metrics.discarded += rows.length;
    const channels = [...new Set(rows.map((row) => row.channel))];
    onDiscarded({ reason, channels, count: rows.length });
    if (atMost > rows.length && rows.length === discardRows) {
      await this.#discard(reason, atMost - rows.length);
    }
  }
}
