import { inList, type Store } from '@holdfast/store';
import { sql, type Selectable, type SqlBool } from 'kysely';
import { checkIds, maxChangeIds } from './changes.ts';
import { InboxError } from './errors.ts';
import { whyOver } from './escalations.ts';
import type { EscalationTable, InboxTables } from './inbox-module.ts';
import type { InboxTransaction } from './mailbox.ts';
import { checkLimit, checkPlace } from './notification.ts';
import type { InboxSettings } from './options.ts';
import type { PreferenceBook } from './preferences.ts';

/** A notification that a target did not take, after its last attempt. */
export interface DeadLetter {
  /** Under which the target was given it, at every attempt: the `webhook-id`. */
  readonly id: string;
  readonly notificationId: string;
  readonly user: string;
  readonly target: EscalationTable['target'];
  readonly attempts: number;
  readonly lastError: string | null;
  /** When it was handed over, Unix milliseconds. */
  readonly createdAt: number;
  readonly givenUpAt: number;
}

/** Which dead letters are listed, page by page. */
export interface DeadLetterListOptions {
  /** @defaultValue all */
  readonly target?: EscalationTable['target'];
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** 1 to 100. @defaultValue 20 */
  readonly limit?: number;
}

/** In the order in which they were handed over, newest first. */
export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

/** Which dead letters: these ids, or all, of one target and after a cursor where these are given. */
export interface DeadLetterSelection {
  /** 1 to 500, and nothing else beside them. */
  readonly ids?: readonly string[];
  readonly target?: EscalationTable['target'];
  /** `nextCursor` of the answer before. */
  readonly cursor?: string;
}

/**
 * Why a dead letter is not tried again: nobody needs it any more (`read`, `archived`, `expired`, or the
 * notification is `gone`; the user does not want it there, `unwanted`), and it is listed no longer;
 * there is no such target in the configuration (`not_configured`), and it stays as it is; or it is
 * `not_dead`: it waits for its next attempt, was delivered, or nobody needed it any more before.
 */
export type DeadLetterSkip =
  | NonNullable<ReturnType<typeof whyOver>>
  | 'gone'
  | 'unwanted'
  | 'not_configured'
  | 'not_dead';

/** What became of dead letters that were to be tried again. */
export interface DeadLetterRetry {
  /** Ids of those that have all their attempts before them again. */
  readonly retried: readonly string[];
  readonly skipped: readonly { readonly id: string; readonly reason: DeadLetterSkip }[];
  /** Ids of which nothing is known. */
  readonly notFound: readonly string[];
  /** `cursor` of the next call; null when all were seen, and always when they were named. */
  readonly nextCursor: string | null;
}

/** Most that one call tries again. */
const maxRetried = maxChangeIds;

type Row = Selectable<EscalationTable>;
type Verdict = { readonly skip: DeadLetterSkip } | { readonly waitMs: number };

/** What targets did not take: for people who mended the receiver. */
export class DeadLetters {
  readonly #store: Store<InboxTables>;
  readonly #targets: InboxSettings['targets'];
  readonly #preferences: PreferenceBook;
  readonly #wakeWorker: () => void;

  constructor(
    preferences: PreferenceBook,
    options: {
      readonly store: Store<InboxTables>;
      readonly settings: InboxSettings;
      readonly wakeWorker: () => void;
    },
  ) {
    this.#preferences = preferences;
    this.#store = options.store;
    this.#targets = options.settings.targets;
    this.#wakeWorker = options.wakeWorker;
  }

  /** @throws {@link InboxError} `inbox_invalid` */
  async list(options: DeadLetterListOptions = {}): Promise<DeadLetterPage> {
    const { limit = 20, target, cursor } = options;
    checkLimit(limit);
    checkCursor(cursor);
    const rows = await this.#store.read((db) =>
      selectDead(db, { target, cursor })
        .selectAll()
        .limit(limit + 1)
        .execute(),
    );
    const items = rows.slice(0, limit).map(toDeadLetter);
    return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  /**
   * Gives dead letters their attempts again, under the same ids, up to 500 in one transaction. What
   * stops or puts off a hand-over stops or puts off this: what was seen, what the user wants now, quiet
   * hours. Repeating it does nothing to those that it tries already; going on from `nextCursor` comes
   * to an end though some are given up again meanwhile.
   * @throws {@link InboxError} `inbox_invalid`
   */
  async retry(selection: DeadLetterSelection = {}): Promise<DeadLetterRetry> {
    const { ids, ...range } = selection;
    if (ids !== undefined && (range.target !== undefined || range.cursor !== undefined)) {
      throw new InboxError('inbox_invalid', 'ids must stand alone, without target and cursor');
    }
    const named = ids === undefined ? undefined : checkIds(ids);
    checkCursor(range.cursor);
    const result = await this.#store.transaction(async (trx) => {
      const page = named ?? (await this.#nextIds(trx, range));
      const isLast = named !== undefined || page.length < maxRetried;
      const outcome = await this.#retryIds(trx, page);
      return { ...outcome, nextCursor: isLast ? null : (page.at(-1) ?? null) };
    });
    this.#wakeWorker();
    return result;
  }

  async #nextIds(
    trx: InboxTransaction,
    range: Pick<DeadLetterSelection, 'target' | 'cursor'>,
  ): Promise<readonly string[]> {
    const rows = await selectDead(trx, range).select('id').limit(maxRetried).execute();
    return rows.map(({ id }) => id);
  }

  async #retryIds(
    trx: InboxTransaction,
    ids: readonly string[],
  ): Promise<Omit<DeadLetterRetry, 'nextCursor'>> {
    const rows = await this.#lock(trx, ids);
    const now = this.#store.clock.now();
    const verdictOf = await this.#judge(trx, rows, now);
    const skipped: { id: string; reason: DeadLetterSkip }[] = [];
    const waiting = new Map<string, number>();
    for (const row of rows) {
      const verdict = verdictOf(row);
      if ('skip' in verdict) skipped.push({ id: row.id, reason: verdict.skip });
      else waiting.set(row.id, verdict.waitMs);
    }
    const retried = [...waiting.keys()];
    for (const [waitMs, some] of Map.groupBy(retried, (id) => waiting.get(id) ?? 0)) {
      await this.#update(trx, some, {
        state: 'pending',
        attempts: 0,
        next_attempt_at: now + waitMs,
        finished_at: null,
      });
    }
    const needless = skipped.filter(({ reason }) => isNeedless(reason)).map(({ id }) => id);
    await this.#update(trx, needless, { state: 'obsolete', finished_at: now });
    const found = new Set(rows.map(({ id }) => id));
    return { retried, skipped, notFound: ids.filter((id) => !found.has(id)) };
  }

  /** In one order for all, so that two calls never wait for each other crosswise. */
  async #lock(trx: InboxTransaction, ids: readonly string[]): Promise<readonly Row[]> {
    let query = trx
      .selectFrom('inbox_escalations')
      .selectAll()
      .where(sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`)
      .orderBy('id', 'desc');
    if (this.#store.dialect === 'postgres') query = query.forUpdate();
    return query.execute();
  }

  async #judge(
    trx: InboxTransaction,
    rows: readonly Row[],
    now: number,
  ): Promise<(row: Row) => Verdict> {
    const ids = rows.map((row) => row.notification_id);
    const found = await trx
      .selectFrom('inbox_notifications')
      .select(['id', 'user_id', 'category', 'read_at', 'archived_at', 'expires_at'])
      .where(sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`)
      .execute();
    const notifications = new Map(found.map((one) => [one.id, one]));
    const users = [...new Set(found.map((one) => one.user_id))];
    const categories = [...new Set(found.map((one) => one.category))];
    const route = await this.#preferences.routes(trx, users, { categories, now });
    return (row) => {
      if (row.state !== 'dead') return { skip: 'not_dead' };
      const notification = notifications.get(row.notification_id);
      if (notification === undefined) return { skip: 'gone' };
      const over = whyOver(notification, now);
      if (over !== undefined) return { skip: over };
      if (!this.#targets.includes(row.target)) return { skip: 'not_configured' };
      const routing = route(row.user_id, notification.category);
      if (routing.isMuted || !routing[row.target]) return { skip: 'unwanted' };
      return { waitMs: routing.quietMinutes * 60_000 };
    };
  }

  async #update(
    trx: InboxTransaction,
    ids: readonly string[],
    change: Partial<Pick<Row, 'state' | 'attempts' | 'next_attempt_at' | 'finished_at'>>,
  ): Promise<void> {
    if (ids.length === 0) return;
    await trx
      .updateTable('inbox_escalations')
      .set(change)
      .where(sql<SqlBool>`id ${inList(this.#store.dialect, ids)}`)
      .execute();
  }
}

function isNeedless(reason: DeadLetterSkip): boolean {
  return reason !== 'not_dead' && reason !== 'not_configured';
}

function checkCursor(cursor: string | undefined): void {
  if (cursor !== undefined) checkPlace('cursor', cursor, 'the nextCursor of another answer');
}

function selectDead(
  db: InboxTransaction,
  range: {
    readonly target?: EscalationTable['target'] | undefined;
    readonly cursor?: string | undefined;
  },
) {
  let query = db.selectFrom('inbox_escalations').where('state', '=', 'dead').orderBy('id', 'desc');
  if (range.target !== undefined) query = query.where('target', '=', range.target);
  if (range.cursor !== undefined) query = query.where('id', '<', range.cursor);
  return query;
}

function toDeadLetter(row: Row): DeadLetter {
  return {
    id: row.id,
    notificationId: row.notification_id,
    user: row.user_id,
    target: row.target,
    attempts: row.attempts,
    lastError: row.last_error,
    createdAt: row.created_at,
    givenUpAt: row.finished_at ?? row.next_attempt_at,
  };
}
