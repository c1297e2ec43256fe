import type { OutputChunk, TaskChange, TaskEvent } from '@holdfast/protocol/tasks';
import type { StoreTransaction } from '@holdfast/store';
import type { MeasuredDuration } from './durations.ts';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskOutputTable, TaskRow, TaskTables } from './task-module.ts';
import { TaskRows, type TaskQuery } from './task-rows.ts';
import { viewOf } from './task-view.ts';

/**
 * One operation on tasks: its rows are locked when they are loaded, changed in memory, and written
 * with its events at the end of the transaction. That is its own ({@link TaskUnit.run}), one of a
 * caller ({@link TaskUnit.join}), or one that it shares with others (`GroupCommit`). Rows are locked
 * children first, so that two units rarely wait crosswise; where they do, PostgreSQL ends one and the
 * store repeats it.
 */
export class TaskUnit {
  readonly now: number;
  readonly context: TaskContext;
  readonly #rows: TaskRows;
  readonly #changes = new Map<TaskRow, TaskChange[]>();
  readonly #added: TaskRow[] = [];
  /** In a shared transaction: rows as they were before this unit. */
  readonly #before = new Map<TaskRow, Readonly<TaskRow>>();
  readonly #output: TaskOutputTable[] = [];
  readonly #durations: MeasuredDuration[] = [];
  readonly #events: { readonly channel: string; readonly event: TaskEvent }[] = [];
  /** Done once the transaction is committed. */
  readonly #afterCommit: (() => void)[] = [];

  constructor(context: TaskContext, rows: TaskRows) {
    this.context = context;
    this.#rows = rows;
    this.now = context.now();
  }

  /**
   * Runs `work` in a transaction; nothing of it is kept when it throws.
   * @param locks names to lock first, see `Store.lock`
   */
  static async run<T>(
    context: TaskContext,
    work: (unit: TaskUnit) => Promise<T>,
    locks: readonly string[] = [],
  ): Promise<T> {
    let last: TaskUnit | undefined;
    const value = await context.store.transaction(async (trx) => {
      await context.store.lock(trx, locks);
      const rows = new TaskRows(context, trx);
      last = new TaskUnit(context, rows);
      const result = await work(last);
      last.seal();
      await rows.write();
      return result;
    });
    last?.committed();
    return value;
  }

  /** Runs `work` as part of a transaction of the caller. What is to be done after its commit is not done. */
  static async join<T>(
    context: TaskContext,
    trx: StoreTransaction<TaskTables>,
    work: (unit: TaskUnit) => Promise<T>,
  ): Promise<T> {
    const rows = new TaskRows(context, trx);
    const unit = new TaskUnit(context, rows);
    const result = await work(unit);
    unit.seal();
    await rows.write();
    return result;
  }

  /**
   * The transaction, for what rows have no words for.
   * @throws `NeedsOwnTransaction` in a shared one, which it could not be taken back from
   */
  get trx(): StoreTransaction<TaskTables> {
    this.#rows.assertOwn();
    return this.#rows.trx;
  }

  /** Says that its work is done: what it made is written, and told, at the end of the transaction. */
  seal(): void {
    const { store } = this.context;
    const facts = { ...this.context, now: this.now };
    for (const [row, changes] of this.#changes) {
      row.version += 1;
      this.#publish(row, { type: 'task', changes, task: viewOf(row, facts) });
    }
    for (const { channel, event } of this.#events) {
      store.outbox.append(this.#rows.trx, { channel, data: event });
    }
    this.#rows.output.push(...this.#output);
    this.#rows.durations.push(...this.#durations);
  }

  /** Takes back what it did in memory, when it failed in a shared transaction. */
  undo(): void {
    for (const row of this.#added) this.#rows.forget(row);
    for (const [row, before] of this.#before) Object.assign(row, before);
  }

  committed(): void {
    for (const act of this.#afterCommit) act();
  }

  afterCommit(act: () => void): void {
    this.#afterCommit.push(act);
  }

  /** @throws {@link TaskError} `task_not_found` */
  async load(id: string): Promise<TaskRow> {
    const [row] = await this.loadAll([id]);
    if (row === undefined) throw new TaskError('task_not_found', `there is no task ${id}`);
    return row;
  }

  /** Those of `ids` that exist, locked in one order. */
  async loadAll(ids: readonly string[]): Promise<readonly TaskRow[]> {
    return this.#handOut(await this.#rows.load(ids));
  }

  /** Rows that a query over `tasks` finds; with `skipLocked` those that nobody else is changing. */
  async select(
    narrow: (query: TaskQuery) => TaskQuery,
    options: { readonly skipLocked?: boolean } = {},
  ): Promise<readonly TaskRow[]> {
    return this.#handOut(await this.#rows.select(narrow, options));
  }

  async parentsOf(row: TaskRow): Promise<readonly TaskRow[]> {
    return this.#handOut(await this.#rows.parentsOf(row));
  }

  async childrenOf(row: TaskRow): Promise<readonly TaskRow[]> {
    return this.#handOut(await this.#rows.childrenOf(row));
  }

  /** The task that holds `slot`. */
  async holderOf(slot: string): Promise<TaskRow | undefined> {
    const row = await this.#rows.holderOf(slot);
    return row && this.#handOut([row])[0];
  }

  /** The task that was made for an idempotency key. */
  async answerTo(idempotencyKey: string): Promise<TaskRow | undefined> {
    const row = await this.#rows.answerTo(idempotencyKey);
    return row && this.#handOut([row])[0];
  }

  /** The place of a new task in its owner's line. */
  nextTurn(row: TaskRow): Promise<number> {
    return this.#rows.turns.take(row);
  }

  add(row: TaskRow, change: TaskChange): void {
    this.#rows.add(row);
    this.#added.push(row);
    this.#changes.set(row, [change]);
  }

  /** Says what happened to `row`. A change that names nothing new for readers makes no event. */
  touch(row: TaskRow, change: TaskChange): void {
    const changes = this.#changes.get(row) ?? [];
    if (!changes.includes(change)) changes.push(change);
    this.#changes.set(row, changes);
  }

  /** Adds chunks to the output of a task; those of one event have to fit in one. */
  addOutput(row: TaskRow, events: readonly (readonly OutputChunk[])[]): void {
    const channel = this.context.channels.task(row);
    for (const chunks of events) {
      this.#output.push(...chunks.map((chunk) => ({ task_id: row.id, ...chunk })));
      this.#events.push({ channel, event: { type: 'output', id: row.id, chunks } });
    }
  }

  addDurations(measured: readonly MeasuredDuration[]): void {
    this.#durations.push(...measured);
  }

  publishDeleted(row: Pick<TaskRow, 'id' | 'owner'>): void {
    this.#publish(row, { type: 'deleted', id: row.id });
  }

  #handOut(rows: readonly TaskRow[]): readonly TaskRow[] {
    if (!this.#rows.isShared) return rows;
    for (const row of rows) if (!this.#before.has(row)) this.#before.set(row, { ...row });
    return rows;
  }

  #publish(row: Pick<TaskRow, 'id' | 'owner'>, event: TaskEvent): void {
    this.#events.push({ channel: this.context.channels.task(row), event });
    const channel = this.context.channels.owner(row.owner);
    if (channel !== undefined) this.#events.push({ channel, event });
  }
}
