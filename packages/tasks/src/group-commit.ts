import {
  concernsEverybody,
  Gatherer,
  StoreError,
  type GathererOptions,
  type Waiting,
} from '@holdfast/store';
import type { TaskContext } from './task-context.ts';
import { NeedsOwnTransaction, TaskRows, type Needs } from './task-rows.ts';
import { TaskUnit } from './task-unit.ts';

interface Operation extends Waiting {
  readonly needs: Needs;
  readonly work: (unit: TaskUnit) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
}

/** What became of an operation in a shared transaction, once that is committed. */
type Outcome =
  | { readonly unit: TaskUnit; readonly value: unknown }
  | { readonly error: unknown }
  | 'needs its own transaction';

const maxGroup = 100;

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
  readonly #gatherer: Gatherer<Operation>;

  /** @param context of the operations; asked for when the first one runs */
  constructor(context: () => TaskContext, options: Pick<GathererOptions, 'clock' | 'metrics'>) {
    this.#context = context;
    this.#gatherer = new Gatherer((operations) => this.#runTogether(operations), {
      ...options,
      items: 'operations on tasks',
      maxItems: maxGroup,
    });
  }

  /**
   * Runs `work` with others. It may be called again, so it must change nothing but through its unit.
   * @throws what `work` throws, and `StoreError`; either way nothing of it was kept, except that with
   * `store_commit_unknown` it may have been
   */
  run<T>(needs: Needs, work: (unit: TaskUnit) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#gatherer.add({
        needs,
        work,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
    });
  }

  async #runTogether(operations: readonly Operation[]): Promise<void> {
    const context = this.#context();
    let outcomes: readonly Outcome[];
    try {
      outcomes = await context.store.transaction((trx) =>
        tryAll(context, new TaskRows(context, trx, { isShared: true }), operations),
      );
    } catch (error) {
      for (const operation of operations) {
        if (concernsEverybody(error)) operation.reject(error);
        else runAlone(context, operation);
      }
      return;
    }
    for (const [index, outcome] of outcomes.entries()) {
      const operation = operations[index];
      if (operation !== undefined) settle(context, operation, outcome);
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
