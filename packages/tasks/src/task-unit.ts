import type { StoreTransaction } from '@holdfast/store';
import type { SelectQueryBuilder } from 'kysely';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskRow, TaskTables } from './task-module.ts';
import { viewOf, type TaskView } from './task-view.ts';

/** What happened to a task, as named in events. */
export type TaskChange =
  | 'queued'
  | 'pending'
  | 'started'
  | 'alive'
  | 'progress'
  | 'children'
  | 'cancelling'
  | 'waiting'
  | 'lost'
  | 'retrying'
  | 'released'
  | 'completed'
  | 'partial'
  | 'failed'
  | 'cancelled';

/** A piece of a task's output. */
export interface OutputChunk {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly attempt: number;
  /** What it is, for example `log` or `token`. */
  readonly type: string;
  readonly data: string;
  readonly at: number;
}

/** What is published in the channels of {@link TaskContext.channels}. */
export type TaskEvent =
  | {
      readonly type: 'task';
      /** In the order they happened. */
      readonly changes: readonly TaskChange[];
      readonly task: TaskView;
    }
  | { readonly type: 'output'; readonly id: string; readonly chunks: readonly OutputChunk[] }
  | { readonly type: 'deleted'; readonly id: string };

/**
 * One transaction on tasks: rows are locked when they are loaded, changed in memory, and written with
 * their events at its end. Rows are locked children first, so that two units rarely wait crosswise;
 * where they do, PostgreSQL ends one and the store repeats it.
 */
export class TaskUnit {
  readonly now: number;
  readonly trx: StoreTransaction<TaskTables>;
  readonly context: TaskContext;
  /** Last turns given out in this unit, by kind and owner. */
  readonly turns: Map<string, number> = new Map();
  readonly #rows = new Map<string, TaskRow>();
  readonly #changes = new Map<string, TaskChange[]>();
  readonly #new = new Set<string>();
  /** Done once the transaction is committed. */
  readonly #afterCommit: (() => void)[] = [];

  private constructor(context: TaskContext, trx: StoreTransaction<TaskTables>) {
    this.context = context;
    this.trx = trx;
    this.now = context.now();
  }

  /** Runs `work` in a transaction; nothing of it is kept when it throws. */
  static async run<T>(context: TaskContext, work: (unit: TaskUnit) => Promise<T>): Promise<T> {
    let last: TaskUnit | undefined;
    const value = await context.store.transaction(async (trx) => {
      const unit = new TaskUnit(context, trx);
      last = unit;
      const result = await work(unit);
      await unit.#write();
      return result;
    });
    last?.committed();
    return value;
  }

  /** Runs `work` as part of a transaction of the caller, who calls `committed` after its commit. */
  static async join<T>(
    context: TaskContext,
    trx: StoreTransaction<TaskTables>,
    work: (unit: TaskUnit) => Promise<T>,
  ): Promise<T> {
    const unit = new TaskUnit(context, trx);
    const result = await work(unit);
    await unit.#write();
    return result;
  }

  committed(): void {
    for (const act of this.#afterCommit) act();
  }

  afterCommit(act: () => void): void {
    this.#afterCommit.push(act);
  }

  /** @throws {@link TaskError} `task_not_found` */
  async load(id: string): Promise<TaskRow> {
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    const [row] = await this.#select((query) => query.where('id', '=', id));
    if (row === undefined) throw new TaskError('task_not_found', `there is no task ${id}`);
    return row;
  }

  /** Those of `ids` that exist, locked in one order. */
  loadAll(ids: readonly string[]): Promise<readonly TaskRow[]> {
    if (ids.length === 0) return Promise.resolve([]);
    return this.#select((query) => query.where('id', 'in', ids).orderBy('id', 'desc'));
  }

  /** Rows that a query over `tasks` finds; with `skipLocked` those that nobody else is changing. */
  select(
    narrow: (query: TaskQuery) => TaskQuery,
    options: { readonly skipLocked?: boolean } = {},
  ): Promise<readonly TaskRow[]> {
    return this.#select(narrow, options.skipLocked);
  }

  parentsOf(row: TaskRow): Promise<readonly TaskRow[]> {
    if (row.parents === 0) return Promise.resolve([]);
    return this.#select((query) =>
      query
        .where('id', 'in', (sub) =>
          sub.selectFrom('task_links').select('parent_id').where('child_id', '=', row.id),
        )
        .orderBy('id', 'desc'),
    );
  }

  childrenOf(row: TaskRow): Promise<readonly TaskRow[]> {
    if (row.children === 0) return Promise.resolve([]);
    return this.#select((query) =>
      query
        .where('id', 'in', (sub) =>
          sub.selectFrom('task_links').select('child_id').where('parent_id', '=', row.id),
        )
        .orderBy('id', 'desc'),
    );
  }

  /** A row of this unit that holds `slot`, or one that does in the database. */
  async holderOf(slot: string): Promise<TaskRow | undefined> {
    for (const row of this.#rows.values()) if (row.slot === slot) return row;
    const rows = await this.#select((query) => query.where('slot', '=', slot));
    return rows.find((row) => row.slot === slot);
  }

  add(row: TaskRow, change: TaskChange): void {
    this.#rows.set(row.id, row);
    this.#new.add(row.id);
    this.#changes.set(row.id, [change]);
  }

  /** Says that `row` was changed. A change that names nothing new for readers makes no event. */
  touch(row: TaskRow, change?: TaskChange): void {
    const changes = this.#changes.get(row.id) ?? [];
    if (change !== undefined && !changes.includes(change)) changes.push(change);
    this.#changes.set(row.id, changes);
  }

  publishOutput(row: Pick<TaskRow, 'id' | 'owner'>, chunks: readonly OutputChunk[]): void {
    this.#publish(this.context.channels.task(row), { type: 'output', id: row.id, chunks });
  }

  publishDeleted(row: Pick<TaskRow, 'id' | 'owner'>): void {
    this.#publish(this.context.channels.task(row), { type: 'deleted', id: row.id });
    const channel = this.context.channels.owner(row.owner);
    if (channel !== undefined) this.#publish(channel, { type: 'deleted', id: row.id });
  }

  async #select(
    narrow: (query: TaskQuery) => TaskQuery,
    skipLocked = false,
  ): Promise<readonly TaskRow[]> {
    let query = narrow(this.trx.selectFrom('tasks').selectAll());
    // SQLite has one writer at a time, and no words for row locks.
    if (this.context.store.dialect === 'postgres') {
      query = query.forUpdate();
      if (skipLocked) query = query.skipLocked();
    }
    const rows = await query.execute();
    return rows.map((row) => {
      const known = this.#rows.get(row.id);
      if (known !== undefined) return known;
      this.#rows.set(row.id, row);
      return row;
    });
  }

  async #write(): Promise<void> {
    const changed = [...this.#changes].map(([id, changes]) => ({
      row: this.#rows.get(id) as TaskRow,
      changes,
    }));
    // A slot is given up before another row takes it.
    changed.sort((a, b) => Number(a.row.slot !== null) - Number(b.row.slot !== null));
    for (const { row, changes } of changed) {
      if (changes.length > 0) row.version += 1;
      if (!this.#new.has(row.id)) await this.#update(row);
    }
    const inserted = changed.filter(({ row }) => this.#new.has(row.id)).map(({ row }) => row);
    for (let start = 0; start < inserted.length; start += insertRows) {
      const rows = inserted.slice(start, start + insertRows);
      await this.trx.insertInto('tasks').values(rows).execute();
    }
    const facts = { ...this.context, now: this.now };
    for (const { row, changes } of changed) {
      if (changes.length === 0) continue;
      const event: TaskEvent = { type: 'task', changes, task: viewOf(row, facts) };
      this.#publish(this.context.channels.task(row), event);
      const channel = this.context.channels.owner(row.owner);
      if (channel !== undefined) this.#publish(channel, event);
    }
  }

  async #update(row: TaskRow): Promise<void> {
    const { id, kind: _kind, owner: _owner, created_at: _createdAt, ...mutable } = row;
    await this.trx.updateTable('tasks').set(mutable).where('id', '=', id).execute();
  }

  #publish(channel: string, event: TaskEvent): void {
    this.context.store.outbox.append(this.trx, { channel, data: event });
  }
}

/** 40 columns a row, and SQLite takes 32,766 parameters. */
const insertRows = 200;

/** Kysely's select of whole rows. */
export type TaskQuery = SelectQueryBuilder<TaskTables, 'tasks', TaskRow>;
