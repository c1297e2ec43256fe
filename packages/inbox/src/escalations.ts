import type { Notification } from '@holdfast/protocol/inbox';
import { delay, type Store } from '@holdfast/store';
import type { Selectable } from 'kysely';
import type { EscalationAttempt, EscalationTarget } from './escalation-target.ts';
import type { EscalationTable, InboxTables, NotificationTable } from './inbox-module.ts';
import { toNotification, type InboxTransaction } from './mailbox.ts';
import type { InboxMetrics } from './metrics.ts';
import type { InboxOptions } from './options.ts';
import type { PreferenceBook } from './preferences.ts';

type TargetName = EscalationTable['target'];

interface EscalationSettings {
  readonly targets: Readonly<Partial<Record<TargetName, EscalationTarget>>>;
  readonly maxAttempts: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly timeoutMs: number;
  readonly random: () => number;
  readonly onProblem: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

const batchRows = 100;
const parallelDeliveries = 16;

/**
 * Carries what nobody has seen out of the application. A notification whose time has come is
 * handed over for each wanted target in one transaction; each hand-over is then tried until the
 * target takes it, until it is seen after all or not wanted there any more, or until its attempts are
 * used up (`dead`). No attempt is made in quiet hours.
 */
export class Escalations {
  readonly #store: Store<InboxTables>;
  readonly #preferences: PreferenceBook;
  readonly #metrics: InboxMetrics;
  readonly #settings: EscalationSettings;

  constructor(
    parts: { readonly preferences: PreferenceBook; readonly metrics: InboxMetrics },
    options: Omit<InboxOptions, 'store'> & { readonly store: Store<InboxTables> },
  ) {
    this.#store = options.store;
    this.#preferences = parts.preferences;
    this.#metrics = parts.metrics;
    const { webhook, email, ...limits } = options.escalation ?? {};
    this.#settings = {
      targets: {
        ...(webhook === undefined ? {} : { webhook }),
        ...(email === undefined ? {} : { email }),
      },
      maxAttempts: limits.maxAttempts ?? 8,
      minBackoffMs: limits.minBackoffMs ?? 10_000,
      maxBackoffMs: limits.maxBackoffMs ?? 3_600_000,
      timeoutMs: limits.timeoutMs ?? 15_000,
      random: options.random ?? Math.random,
      onProblem: options.onProblem ?? (() => {}),
    };
  }

  /**
   * Hands over notifications whose time has come.
   * @returns whether there may be more
   */
  async handOver(): Promise<boolean> {
    return this.#store.transaction(async (trx) => {
      const now = this.#store.clock.now();
      let query = trx
        .selectFrom('inbox_notifications')
        .selectAll()
        .where('escalate_at', '<=', now)
        .orderBy('escalate_at')
        .limit(batchRows);
      // Whoever is being read or acknowledged at this moment is left for the next round.
      if (this.#store.dialect === 'postgres') query = query.forUpdate().skipLocked();
      const rows = await query.execute();
      await this.#handOverRows(trx, rows, now);
      return rows.length === batchRows;
    });
  }

  /** Where notifications can be carried to. */
  get targets(): readonly TargetName[] {
    return Object.keys(this.#settings.targets) as TargetName[];
  }

  /**
   * Delivers to one target what is due there.
   * @returns whether there may be more
   */
  async deliver(target: TargetName, signal: AbortSignal): Promise<boolean> {
    const now = this.#store.clock.now();
    const due = await this.#store.read((db) =>
      db
        .selectFrom('inbox_escalations')
        .selectAll()
        .where('state', '=', 'pending')
        .where('target', '=', target)
        .where('next_attempt_at', '<=', now)
        .orderBy('next_attempt_at')
        .limit(parallelDeliveries)
        .execute(),
    );
    const outcomes = await Promise.allSettled(due.map((row) => this.#deliverOne(row, signal)));
    // Only when all are over: what still went on would be due again at the next look.
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return due.length === parallelDeliveries && !signal.aborted;
  }

  async #handOverRows(
    trx: InboxTransaction,
    rows: readonly NotificationTable[],
    now: number,
  ): Promise<void> {
    if (rows.length === 0) return;
    const users = [...new Set(rows.map((row) => row.user_id))];
    const categories = [...new Set(rows.map((row) => row.category))];
    const route = await this.#preferences.routes(trx, users, { categories, now });
    for (const row of rows) {
      const routing = route(row.user_id, row.category);
      // Quiet hours put it off; wishes that changed meanwhile count.
      const waitMs = routing.quietMinutes * 60_000;
      const isDone = whyOver(row, now) !== undefined;
      await trx
        .updateTable('inbox_notifications')
        .set({ escalate_at: waitMs > 0 && !isDone ? now + waitMs : null })
        .where('id', '=', row.id)
        .execute();
      if (waitMs > 0 || isDone || routing.isMuted) continue;
      for (const target of ['webhook', 'email'] as const) {
        if (!routing[target] || this.#settings.targets[target] === undefined) continue;
        await trx
          .insertInto('inbox_escalations')
          .values({
            id: this.#store.ids.next(),
            notification_id: row.id,
            user_id: row.user_id,
            target,
            state: 'pending',
            next_attempt_at: now,
            created_at: now,
            finished_at: null,
            last_error: null,
          })
          .onConflict((conflict) => conflict.columns(['notification_id', 'target']).doNothing())
          .execute();
      }
    }
  }

  async #deliverOne(row: Selectable<EscalationTable>, signal: AbortSignal): Promise<void> {
    const target = this.#settings.targets[row.target];
    if (target === undefined) return;
    const now = this.#store.clock.now();
    const found = await this.#lookUp(row, now);
    if (found === undefined) {
      await this.#record(row, { state: 'obsolete' });
      return;
    }
    const { notification, waitMs } = found;
    if (waitMs > 0) {
      await this.#record(row, { next_attempt_at: now + waitMs });
      return;
    }
    // The target would never hear of a stop that came while that was looked up.
    if (signal.aborted) return;
    const attempt = row.attempts + 1;
    try {
      const what = { id: row.id, user: row.user_id, notification, attempt };
      await this.#attempt(target, what, signal);
    } catch (error) {
      // A stop of the server is nobody's failure: the next one tries again.
      if (!signal.aborted) await this.#recordFailure(row, { attempt, error });
      return;
    }
    await this.#record(row, { state: 'delivered', attempts: attempt, last_error: null });
    this.#metrics.countAttempt(row.target, 'delivered');
  }

  /** @throws what the target says, or that it says nothing in time */
  async #attempt(
    target: EscalationTarget,
    what: Omit<EscalationAttempt, 'signal'>,
    signal: AbortSignal,
  ): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    signal.addEventListener('abort', stop);
    try {
      const delivery = target.deliver({ ...what, signal: over.signal });
      await Promise.race([delivery, this.#timeOut(over.signal)]);
    } finally {
      signal.removeEventListener('abort', stop);
      over.abort();
    }
  }

  /**
   * What is to be delivered, and how long quiet hours put it off: hours can lie between two attempts, in
   * which the user has gone to bed, or has wished otherwise. Undefined when nobody needs it any more.
   */
  async #lookUp(
    { notification_id: id, target }: Selectable<EscalationTable>,
    now: number,
  ): Promise<{ readonly notification: Notification; readonly waitMs: number } | undefined> {
    return this.#store.read(async (db) => {
      const row = await db
        .selectFrom('inbox_notifications')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      if (row === undefined || whyOver(row, now) !== undefined) return undefined;
      const { user_id: user, category } = row;
      const route = await this.#preferences.routes(db, [user], { categories: [category], now });
      const routing = route(user, category);
      if (routing.isMuted || !routing[target]) return undefined;
      return { notification: toNotification(row), waitMs: routing.quietMinutes * 60_000 };
    });
  }

  async #timeOut(signal: AbortSignal): Promise<never> {
    await delay(this.#store.clock, this.#settings.timeoutMs, signal);
    throw new Error(`no answer within ${this.#settings.timeoutMs} ms`);
  }

  async #recordFailure(
    row: Selectable<EscalationTable>,
    failure: { readonly attempt: number; readonly error: unknown },
  ): Promise<void> {
    const { attempt, error } = failure;
    const { maxAttempts, minBackoffMs, maxBackoffMs, random, onProblem } = this.#settings;
    const isHopeless = (error as { retryable?: unknown } | null)?.retryable === false;
    const isDead = isHopeless || attempt >= maxAttempts;
    const ceiling = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempt - 1, 30));
    const isRecorded = await this.#record(row, {
      state: isDead ? 'dead' : 'pending',
      attempts: attempt,
      last_error: (error instanceof Error ? error.message : String(error)).slice(0, 500),
      next_attempt_at: this.#store.clock.now() + Math.round(ceiling * (0.5 + random() / 2)),
    });
    this.#metrics.countAttempt(row.target, isDead ? 'given_up' : 'failed');
    if (!isDead || !isRecorded) return;
    onProblem({
      message: `notification ${row.notification_id} could not be carried on by ${row.target}, which is given up after ${attempt} attempts; it is among the dead letters, to be tried again when the cause is mended`,
      cause: error,
    });
  }

  /**
   * What came of an attempt, unless the row is another one than when it began: a process that was
   * stopped in the middle wakes after another one has gone on, or given up, and knows nothing newer. Only
   * that the target took it stays true.
   * @returns whether it was recorded
   */
  async #record(
    row: Selectable<EscalationTable>,
    change: Partial<Pick<EscalationTable, 'state' | 'next_attempt_at' | 'last_error'>> & {
      readonly attempts?: number;
    },
  ): Promise<boolean> {
    const isOver = change.state !== undefined && change.state !== 'pending';
    return this.#store.transaction(async (trx) => {
      const update = trx
        .updateTable('inbox_escalations')
        .set({ ...change, finished_at: isOver ? this.#store.clock.now() : null })
        .where('id', '=', row.id);
      const result = await (
        change.state === 'delivered'
          ? update.where('state', 'in', ['pending', 'dead'])
          : update
              .where('state', '=', 'pending')
              .where('attempts', '=', row.attempts)
              .where('next_attempt_at', '=', row.next_attempt_at)
      ).executeTakeFirst();
      return result.numUpdatedRows > 0n;
    });
  }
}

/** How the user has dealt with it, or that its time has passed; undefined while it can be carried on. */
export function whyOver(
  row: Pick<NotificationTable, 'read_at' | 'archived_at' | 'expires_at'>,
  now: number,
): 'read' | 'archived' | 'expired' | undefined {
  if (row.read_at !== null) return 'read';
  if (row.archived_at !== null) return 'archived';
  return row.expires_at !== null && row.expires_at <= now ? 'expired' : undefined;
}
