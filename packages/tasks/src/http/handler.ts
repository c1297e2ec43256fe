import { createRouteHandler, type HttpInterfaceOptions, type RouteHandler } from '@holdfast/http';
import type { Tasks } from '../tasks.ts';
import { OutputFollowers } from './output-stream.ts';
import { routes } from './routes.ts';

/** Who may use the HTTP interface, and where it is. */
export interface TasksHandlerOptions extends HttpInterfaceOptions {
  /** @defaultValue '/tasks' */
  readonly basePath?: string;
  /** Whether a user may read, cancel and delete everybody's tasks. @defaultValue nobody */
  readonly isAdmin?: (user: string) => boolean | Promise<boolean>;
  /** Readers that follow output at the same time. @defaultValue 200 */
  readonly maxOutputStreams?: number;
}

/**
 * Tasks over HTTP, for any server that speaks `Request` and `Response`: operations of servers (API
 * key) and, below `/me`, of users (their token), who can ask for kinds that are open to them and reach
 * nothing but their own. Another user's task is as if it did not exist.
 */
export function createTasksHandler(tasks: Tasks, options: TasksHandlerOptions): RouteHandler {
  const { basePath = '/tasks', isAdmin = () => false, maxOutputStreams } = options;
  const followers = new OutputFollowers(
    tasks,
    maxOutputStreams === undefined ? {} : { maxStreams: maxOutputStreams },
  );
  return createRouteHandler(
    {
      routes,
      service: { tasks, followers, isAdmin },
      basePath,
      name: 'tasks',
      invalidCode: 'task_bad_request',
    },
    options,
  );
}
