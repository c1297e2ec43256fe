import { StoreError } from '@holdfast/store';
import { TaskError } from './errors.ts';
import { locksOf, makeRequests } from './make-requests.ts';
import type { TaskContext } from './task-context.ts';
import {
  prepareRequest,
  type PreparedRequest,
  type TaskAnswer,
  type TaskRequest,
  type UserTaskRequest,
} from './task-request.ts';
import type { Needs } from './task-rows.ts';
import { followUpSlot } from './transitions.ts';

const maxConflicts = 5;

function needsOf(requests: readonly PreparedRequest[]): Needs {
  return {
    locks: locksOf(requests),
    ids: requests.flatMap(({ request }) => request.parent?.id ?? []),
    slots: requests.flatMap(({ slot }) => (slot === null ? [] : [slot, followUpSlot(slot)])),
    idempotencyKeys: requests.flatMap(({ request }) => request.idempotencyKey ?? []),
    lines: requests.map(({ kind, owner }) => ({ kind: kind.name, owner })),
  };
}

/** Makes requests. All are granted, or none. */
export function requestTasks(
  context: TaskContext,
  requests: readonly TaskRequest[],
): Promise<readonly TaskAnswer[]> {
  return requestPrepared(
    context,
    requests.map((request) => prepareRequest(context, request)),
  );
}

async function requestPrepared(
  context: TaskContext,
  prepared: readonly PreparedRequest[],
): Promise<readonly TaskAnswer[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await context.group.run(needsOf(prepared), (unit) => makeRequests(unit, prepared));
    } catch (error) {
      // A promoted follow-up can take a slot in the moment between looking and inserting.
      const isRace = error instanceof StoreError && error.details.constraint === 'unique';
      if (!isRace || attempt >= maxConflicts) throw error;
    }
  }
}

/**
 * Makes a request of a user: for kinds that are open to users, as their own, and only so many.
 * @throws {@link TaskError} `task_forbidden`, `task_too_many`, and what any request throws
 */
export async function requestAsUser(
  context: TaskContext,
  user: string,
  { kind, payload, key, idempotencyKey, force }: UserTaskRequest,
): Promise<TaskAnswer> {
  if (context.isKnown(kind) && !context.kind(kind).isOpenToUsers) {
    throw new TaskError('task_forbidden', `users may not ask for ${kind}`);
  }
  const prepared = prepareRequest(context, {
    kind,
    payload,
    owner: user,
    ...(key === undefined ? {} : { key }),
    ...(force === undefined ? {} : { force }),
    // Idempotency keys of users never meet those of others.
    ...(idempotencyKey === undefined
      ? {}
      : { idempotencyKey: `user:${JSON.stringify(user)}:${idempotencyKey}` }),
  });
  const maxLive = prepared.kind.maxLivePerUser;
  const [answer] = await requestPrepared(context, [{ ...prepared, maxLive }]);
  if (answer === undefined) throw new Error('a request without an answer');
  return answer;
}
