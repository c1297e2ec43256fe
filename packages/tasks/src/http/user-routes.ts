import { defined } from '@holdfast/http';
import { TaskError } from '../errors.ts';
import type { UserTaskRequest } from '../task-request.ts';
import type { TaskSnapshot } from '../task-reads.ts';
import * as schemas from './schemas.ts';
import { filterOf, outputAnswer, snapshotAnswer } from './task-answers.ts';
import { route, user, type TaskRoute, type TaskService } from './task-service.ts';

/** A caller and the task that is asked about. */
interface Claim {
  readonly user: string;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * The task, when it is the user's or the user an admin.
 * @throws {@link TaskError} `task_not_found` for one that does not exist, or is somebody else's
 */
async function visible({ tasks, isAdmin }: TaskService, claim: Claim): Promise<TaskSnapshot> {
  const id = claim.params.id ?? '';
  const task = await tasks.get(id);
  if (task.owner === claim.user || (await isAdmin(claim.user))) return task;
  throw new TaskError('task_not_found', `there is no task ${id}`);
}

/** Names of machines, and what attempts leave to each other, are nothing for users. */
function forUsers<Task extends TaskSnapshot>(task: Task): Task {
  const history = task.history.map(({ attempt, startedAt, endedAt, reason, error }) => ({
    attempt,
    startedAt,
    endedAt,
    reason,
    error,
    worker: null,
  }));
  return { ...task, history, checkpoint: null };
}

/** Operations of users on their own tasks. */
export const userRoutes: readonly TaskRoute[] = [
  route({
    ...user('POST', ''),
    summary: 'Ask for work of a kind that is open to users',
    body: schemas.userRequest,
    result: schemas.answer,
    run: ({ tasks, user, body }) => tasks.requestAsUser(user, defined(body) as UserTaskRequest),
  }),
  route({
    ...user('GET', ''),
    summary: 'Own tasks, newest first, and the channel position that continues them',
    query: schemas.userListQuery,
    result: schemas.userPage,
    run: async ({ tasks, user, query }) => {
      const { snapshot, ...rest } = await tasks.ownerSnapshot(user, filterOf(query));
      return { ...snapshot, ...rest };
    },
  }),
  route({
    ...user('GET', '/{id}'),
    summary: 'A task, and the channel position that continues it',
    result: schemas.taskSnapshot,
    run: async (call) => {
      const { id } = await visible(call, call);
      const continued = await call.tasks.snapshot(id);
      return snapshotAnswer({ ...continued, snapshot: forUsers(continued.snapshot) });
    },
  }),
  route({
    ...user('GET', '/{id}/output'),
    summary: 'Output of a task after a number, from its beginning by default',
    query: schemas.outputQuery,
    result: schemas.outputPage,
    otherResult: 'text/event-stream',
    run: async (call) => {
      const { id } = await visible(call, call);
      return outputAnswer(call, id, call);
    },
  }),
  route({
    ...user('POST', '/{id}/cancel'),
    summary: 'Cancel a task and what only it waits for; does nothing to one that is over',
    result: schemas.task,
    run: async (call) => {
      const { id } = await visible(call, call);
      return forUsers(await call.tasks.cancel(id));
    },
  }),
  route({
    ...user('POST', '/{id}/retry'),
    summary: 'Ask once more for the work of an own task that is over, as a new task',
    result: schemas.answer,
    run: async (call) => {
      const { id } = await visible(call, call);
      return call.tasks.retryAsUser(call.user, id);
    },
  }),
  route({
    ...user('DELETE', '/{id}'),
    summary: 'Delete a task that is over',
    result: schemas.nothing,
    run: async (call) => {
      const { id } = await visible(call, call);
      await call.tasks.delete(id);
      return {};
    },
  }),
];
