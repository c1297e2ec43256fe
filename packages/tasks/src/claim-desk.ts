import { Gatherer, type Waiting } from '@holdfast/store';
import { claimTasks, type ClaimedTask, type ClaimOptions } from './claim.ts';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';

interface Claimant extends Waiting {
  readonly claim: Required<ClaimOptions>;
  readonly resolve: (tasks: readonly ClaimedTask[]) => void;
}

const maxClaim = 100;
const claimsAtOnce = 16;

/** Where all workers that this process speaks for take their tasks: those who come together share a look. */
export class ClaimDesk {
  readonly #context: TaskContext;
  readonly #gatherer: Gatherer<Claimant>;

  constructor(context: TaskContext) {
    this.#context = context;
    this.#gatherer = new Gatherer((all) => this.#serve(all), {
      clock: context.clock,
      metrics: context.store.metrics,
      items: 'claims of tasks',
      maxItems: claimsAtOnce,
    });
  }

  /** @throws {@link TaskError} `task_unknown_kind`, `StoreError` */
  async claim({ kinds, worker, limit = 1 }: ClaimOptions): Promise<readonly ClaimedTask[]> {
    const unknown = kinds.find((name) => !this.#context.isKnown(name));
    if (unknown !== undefined) {
      throw new TaskError('task_unknown_kind', `kind ${JSON.stringify(unknown)} is not known`);
    }
    const claim = { kinds, worker, limit: Math.min(limit, maxClaim) };
    return await new Promise((resolve, reject) => {
      this.#gatherer.add({ claim, resolve, reject });
    });
  }

  async #serve(all: readonly Claimant[]): Promise<void> {
    try {
      const served = await claimTasks(
        this.#context,
        all.map(({ claim }) => claim),
      );
      for (const [index, tasks] of served.entries()) all[index]?.resolve(tasks);
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
  }
}
