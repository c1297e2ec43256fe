import { StoreError } from '@holdfast/store';
import { Gatherer } from './gatherer.ts';
import type { TaskContext } from './task-context.ts';
import { NeedsOwnTransaction, TaskRows, type Needs } from './task-rows.ts';
import { TaskUnit } from './task-unit.ts';

interface Operation {
  readonly needs: Needs;
  readonly work: (unit: TaskUnit) => Promise<unknown>;
  readonly waitsUntil: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of an operation in a shared transaction, once that is committed. */
type Outcome =
  | { readonly unit: TaskUnit; readonly value: unknown }
  | { readonly error: unknown }
  | 'needs its own transaction';

const maxGroup = 100;
const maxWaiting = 10_000;
const maxWaitMs = 5000;

/**
 * Runs operations that come together in one transaction: each sees what those before it did, each
 * succeeds or fails on its own, and all are answered when all is on disk. So a hundred completions
 * need a few statements and wait for the disk once, not a hundred times.
 *
 * An operation that has to wait for somebody else's lock, or that needs more than rows, leaves the
 * group and runs in a transaction of its own. When a statement of the group is refused, nothing of
 * it was kept, and each operation runs on its own.
 */
export class GroupCommit {
  readonly #context: () => TaskContext;
  readonly #gatherer: Gatherer<Operation> = new Gatherer(
    (operations) => this.#runTogether(operations),
    maxGroup,
  );

  constructor(context: () => TaskContext) {
    this.#context = context;
  }

  /**
   * Runs `work` with others. It may be called again, so it must change nothing but through its unit.
   * @throws what `work` throws, and `StoreError`; either way nothing of it was kept, except that with
   * `store_commit_unknown` it may have been
   */
  run<T>(needs: Needs, work: (unit: TaskUnit) => Promise<T>): Promise<T> {
    const { clock, store } = this.#context();
    if (this.#gatherer.waiting >= maxWaiting) {
      return Promise.reject(
        new StoreError('store_busy', `${maxWaiting} changes of tasks are waiting already`),
      );
    }
    store.metrics.waiting += 1;
    return new Promise<T>((resolve, reject) => {
      this.#gatherer.add({
        needs,
        work,
        waitsUntil: clock.monotonic() + maxWaitMs,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
    });
  }

  async #runTogether(gathered: readonly Operation[]): Promise<void> {
    const context = this.#context();
    const { clock, store } = context;
    store.metrics.waiting -= gathered.length;
    const now = clock.monotonic();
    const operations = gathered.filter(({ waitsUntil }) => waitsUntil > now);
    for (const late of gathered) {
      if (late.waitsUntil > now) continue;
      const message = `a change of a task waited ${maxWaitMs} ms for its turn`;
      late.reject(new StoreError('store_busy', message));
    }
    if (operations.length === 0) return;
    try {
      const outcomes = await store.transaction((trx) =>
        tryAll(context, new TaskRows(context, trx, { isShared: true }), operations),
      );
      for (const [index, outcome] of outcomes.entries()) {
        const operation = operations[index];
        if (operation !== undefined) settle(context, operation, outcome);
      }
    } catch (error) {
      for (const operation of operations) {
        if (concernsEverybody(error)) operation.reject(error);
        else runAlone(context, operation);
      }
    }
  }
}

async function tryAll(
  context: TaskContext,
  rows: TaskRows,
  operations: readonly Operation[],
): Promise<readonly Outcome[]> {
  const held = await rows.prepare(operations.map(({ needs }) => needs));
  const outcomes: Outcome[] = [];
  for (const { needs, work } of operations) {
    const mustWait = needs.locks?.some((name) => held.has(name)) === true;
    outcomes.push(mustWait ? 'needs its own transaction' : await tryOne(context, rows, work));
  }
  await rows.write();
  return outcomes;
}

async function tryOne(
  context: TaskContext,
  rows: TaskRows,
  work: Operation['work'],
): Promise<Outcome> {
  const unit = new TaskUnit(context, rows);
  try {
    const value = await work(unit);
    unit.seal();
    return { unit, value };
  } catch (error) {
    unit.undo();
    if (error instanceof NeedsOwnTransaction) return 'needs its own transaction';
    // A statement was refused, which ends the transaction.
    if (error instanceof StoreError) throw error;
    return { error };
  }
}

function settle(context: TaskContext, operation: Operation, outcome: Outcome): void {
  if (outcome === 'needs its own transaction') {
    runAlone(context, operation);
  } else if ('error' in outcome) {
    operation.reject(outcome.error);
  } else {
    outcome.unit.committed();
    operation.resolve(outcome.value);
  }
}

function runAlone(context: TaskContext, { work, needs, resolve }: Operation): void {
  resolve(TaskUnit.run(context, work, needs.locks));
}

/** A database that is away, full or too slow is so for each of them; and what may exist is not repeated. */
function concernsEverybody(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    error.retryable &&
    error.code !== 'store_conflict' &&
    error.code !== 'store_locked'
  );
}
