import { locksOf, makeRequests } from './make-requests.ts';
import {
  prepareRequest,
  type PreparedRequest,
  type TaskAnswer,
  type TaskRequest,
} from './task-request.ts';
import type { TaskContext } from './task-context.ts';
import { TaskUnit } from './task-unit.ts';
import { settle } from './transitions.ts';

/** Kind of the parent of a batch, which has no work of its own. */
export const batchKind = 'batch';

/** What is asked for in a batch. */
export type BatchedRequest = Omit<TaskRequest, 'parent'>;

/** Whose a batch is, and what repeats it. */
export interface BatchOptions {
  /** Of the batch, and of its requests that name none. */
  readonly owner?: string;
  /** Repeating a batch with the same key changes nothing. */
  readonly idempotencyKey?: string;
}

/** A task without work of its own, and those it waits for. */
export interface Batch {
  readonly id: string;
  /** Empty when the batch was there already. */
  readonly children: readonly TaskAnswer[];
}

/** Makes several requests under one parent. All are granted, or none. */
export function requestBatch(
  context: TaskContext,
  requests: readonly BatchedRequest[],
  options: BatchOptions,
): Promise<Batch> {
  const parent = prepareRequest(context, { ...options, kind: batchKind });
  const inherited = options.owner === undefined ? {} : { owner: options.owner };
  const plain = requests.map((one) => prepareRequest(context, { ...inherited, ...one }));
  return TaskUnit.run(
    context,
    async (unit) => {
      const [answer] = await makeRequests(unit, [parent]);
      if (answer === undefined) throw new Error('a request without an answer');
      // The same batch once more: its children are there already.
      if (answer.outcome === 'joined') return { id: answer.id, children: [] };
      const children = await makeRequests(
        unit,
        plain.map((one) => withParent(one, answer.id)),
      );
      // The batch itself has nothing to do.
      await settle(unit, await unit.load(answer.id), { state: 'completed' });
      return { id: answer.id, children };
    },
    locksOf([parent, ...plain]),
  );
}

function withParent(prepared: PreparedRequest, id: string): PreparedRequest {
  return { ...prepared, request: { ...prepared.request, parent: { id } } };
}
