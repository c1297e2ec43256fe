import type { StoreTransaction } from '@holdfast/store';
import { sql, type RawBuilder, type SelectQueryBuilder, type SqlBool } from 'kysely';
import { writeDurations, type MeasuredDuration } from './durations.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskOutputTable, TaskRow, TaskTables } from './task-module.ts';
import { Turns, type Line } from './turns.ts';
import { insertTasks, updateTasks } from './write-tasks.ts';

/** Kysely's select of whole rows. */
export type TaskQuery = SelectQueryBuilder<TaskTables, 'tasks', TaskRow>;

/** What an operation is going to look at, so that a group of them can look at it at once. */
export interface Needs {
  /** Named locks that it holds while it runs. */
  readonly locks?: readonly string[];
  /** Tasks. */
  readonly ids?: readonly string[];
  /** Slots whose holders it looks for. */
  readonly slots?: readonly string[];
  readonly idempotencyKeys?: readonly string[];
  /** Lines that it adds tasks to. */
  readonly lines?: readonly Line[];
}

/** What keeps an operation out of a group: it needs a transaction of its own, or has to wait for a lock. */
export class NeedsOwnTransaction extends Error {}

/**
 * The rows of one transaction: locked when they are loaded, changed in memory, written at its end.
 *
 * In a transaction that several operations share nobody waits for a lock that another transaction
 * holds: who would have to gets {@link NeedsOwnTransaction}, so that the others go on, and so that two
 * groups never wait crosswise.
 */
export class TaskRows {
  readonly trx: StoreTransaction<TaskTables>;
  readonly isShared: boolean;
  readonly turns: Turns;
  /** Chunks to be written. */
  readonly output: TaskOutputTable[] = [];
  /** To be written, see {@link writeDurations}. */
  readonly durations: MeasuredDuration[] = [];
  readonly #context: TaskContext;
  readonly #rows = new Map<string, TaskRow>();
  /** Loaded rows as they are in the database. */
  readonly #stored = new Map<string, Readonly<TaskRow>>();
  /** Who had a slot, or an idempotency key, when it was looked for: an id, or nobody. */
  readonly #holders = new Map<string, string | undefined>();
  readonly #answered = new Map<string, string | undefined>();

  constructor(
    context: TaskContext,
    trx: StoreTransaction<TaskTables>,
    options: { readonly isShared?: boolean } = {},
  ) {
    this.#context = context;
    this.trx = trx;
    this.isShared = options.isShared ?? false;
    this.turns = new Turns(trx);
  }

  /**
   * Looks for a group at what its members need, in few statements.
   * @returns locks that somebody else holds
   */
  async prepare(all: readonly Needs[]): Promise<ReadonlySet<string>> {
    const gather = (pick: (needs: Needs) => readonly string[] | undefined): readonly string[] => [
      ...new Set(all.flatMap((needs) => pick(needs) ?? [])),
    ];
    const held = await this.#context.store.tryLock(
      this.trx,
      gather((needs) => needs.locks),
    );
    const slots = gather((needs) => needs.slots);
    const keys = gather((needs) => needs.idempotencyKeys);
    await this.#find('slot', slots, this.#holders);
    await this.#find('idempotency_key', keys, this.#answered);
    const found = [
      ...slots.map((slot) => this.#holders.get(slot)),
      ...keys.map((key) => this.#answered.get(key)),
    ].filter((id) => id !== undefined);
    await this.#lockIds([...new Set([...gather((needs) => needs.ids), ...found])]);
    await this.turns.look(all.flatMap(({ lines = [] }) => lines));
    return held;
  }

  /** Rows that a query finds; with `skipLocked` those that nobody else is changing. */
  async select(
    narrow: (query: TaskQuery) => TaskQuery,
    options: { readonly skipLocked?: boolean } = {},
  ): Promise<readonly TaskRow[]> {
    this.assertOwn();
    return this.#lock(narrow, options.skipLocked ?? false);
  }

  /** Those of `ids` that exist, locked in one order. */
  async load(ids: readonly string[]): Promise<readonly TaskRow[]> {
    await this.#lockIds(ids.filter((id) => !this.#rows.has(id)));
    const rows = ids.flatMap((id) => this.#rows.get(id) ?? []);
    // Not there, or locked by somebody else.
    if (this.isShared && rows.length < ids.length) throw new NeedsOwnTransaction();
    return rows;
  }

  async parentsOf(row: TaskRow): Promise<readonly TaskRow[]> {
    if (row.parents === 0) return [];
    const parents = await this.#lock(
      (query) =>
        query
          .where('id', 'in', (sub) =>
            sub.selectFrom('task_links').select('parent_id').where('child_id', '=', row.id),
          )
          .orderBy('id', 'desc'),
      this.isShared,
    );
    if (this.isShared && parents.length < row.parents) throw new NeedsOwnTransaction();
    return parents;
  }

  childrenOf(row: TaskRow): Promise<readonly TaskRow[]> {
    if (row.children === 0) return Promise.resolve([]);
    return this.select((query) =>
      query
        .where('id', 'in', (sub) =>
          sub.selectFrom('task_links').select('child_id').where('parent_id', '=', row.id),
        )
        .orderBy('id', 'desc'),
    );
  }

  /** A row of this transaction that holds `slot`, or one that does in the database. */
  holderOf(slot: string): Promise<TaskRow | undefined> {
    return this.#holding('slot', slot, this.#holders);
  }

  /** The same for an idempotency key. */
  answerTo(key: string): Promise<TaskRow | undefined> {
    return this.#holding('idempotency_key', key, this.#answered);
  }

  add(row: TaskRow): void {
    this.#rows.set(row.id, row);
  }

  /** Takes back {@link add}. */
  forget(row: TaskRow): void {
    this.#rows.delete(row.id);
  }

  /** @throws {@link NeedsOwnTransaction} in a shared transaction */
  assertOwn(): void {
    if (this.isShared) throw new NeedsOwnTransaction();
  }

  /** Writes everything that has changed. */
  async write(): Promise<void> {
    const added: TaskRow[] = [];
    const changed: { row: TaskRow; stored: Readonly<TaskRow> }[] = [];
    for (const row of this.#rows.values()) {
      const stored = this.#stored.get(row.id);
      if (stored === undefined) added.push(row);
      else changed.push({ row, stored });
    }
    const { dialect } = this.#context.store;
    // A slot is given up before another row takes it.
    const hasSlot = Map.groupBy(changed, ({ row }) => row.slot !== null);
    await updateTasks(this.trx, dialect, hasSlot.get(false) ?? []);
    await updateTasks(this.trx, dialect, hasSlot.get(true) ?? []);
    await insertTasks(this.trx, dialect, added);
    if (this.output.length > 0) {
      await this.trx.insertInto('task_output').values(this.output).execute();
    }
    await writeDurations(this.trx, this.#context, this.durations);
  }

  async #holding(
    column: 'slot' | 'idempotency_key',
    value: string,
    known: Map<string, string | undefined>,
  ): Promise<TaskRow | undefined> {
    for (const row of this.#rows.values()) if (row[column] === value) return row;
    if (!this.isShared) {
      const rows = await this.#lock((query) => query.where(column, '=', value), false);
      return rows.find((row) => row[column] === value);
    }
    if (!known.has(value)) await this.#find(column, [value], known);
    const id = known.get(value);
    if (id === undefined) return undefined;
    const [row] = await this.load([id]);
    if (row?.[column] === value) return row;
    // Given up in this transaction, or by somebody else since it was looked for.
    if (this.#stored.get(id)?.[column] === value) return undefined;
    throw new NeedsOwnTransaction();
  }

  /** Locks nothing, so nobody is overlooked whose row is locked by others. */
  async #find(
    column: 'slot' | 'idempotency_key',
    values: readonly string[],
    into: Map<string, string | undefined>,
  ): Promise<void> {
    if (values.length === 0) return;
    for (const value of values) into.set(value, undefined);
    const rows = await this.trx
      .selectFrom('tasks')
      .select(['id', column])
      .where(this.#isAny(column, values))
      .execute();
    for (const row of rows) into.set(row[column] ?? '', row.id);
  }

  async #lockIds(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#lock(
      (query) => query.where(this.#isAny('id', ids)).orderBy('id', 'desc'),
      this.isShared,
    );
  }

  async #lock(
    narrow: (query: TaskQuery) => TaskQuery,
    skipLocked: boolean,
  ): Promise<readonly TaskRow[]> {
    let query = narrow(this.trx.selectFrom('tasks').selectAll());
    // SQLite has one writer at a time, and no words for row locks.
    if (this.#context.store.dialect === 'postgres') {
      query = query.forUpdate();
      if (skipLocked) query = query.skipLocked();
    }
    const rows = await query.execute();
    return rows.map((row) => {
      const known = this.#rows.get(row.id);
      if (known !== undefined) return known;
      this.#rows.set(row.id, row);
      this.#stored.set(row.id, { ...row });
      return row;
    });
  }

  /** The same text for any number of values where the database can do that. */
  #isAny(
    column: 'id' | 'slot' | 'idempotency_key',
    values: readonly string[],
  ): RawBuilder<SqlBool> {
    return this.#context.store.dialect === 'postgres'
      ? sql<SqlBool>`${sql.ref(column)} = any(${values}::text[])`
      : sql<SqlBool>`${sql.ref(column)} in (select value from json_each(${JSON.stringify(values)}))`;
  }
}
