import { routeFor, type Route, type RouteShape } from '@holdfast/http';
import type { z } from 'zod';
import type { Tasks } from '../tasks.ts';
import type { OutputFollowers } from './output-stream.ts';

/** What the routes work with. */
export interface TaskService {
  readonly tasks: Tasks;
  readonly followers: OutputFollowers;
  /** Whether a user may read, cancel and delete everybody's tasks. */
  readonly isAdmin: (user: string) => boolean | Promise<boolean>;
}

export type TaskRoute = Route<TaskService>;

/** A route of tasks. */
export const route: <Query extends z.ZodType, Body extends z.ZodType>(
  shape: RouteShape<TaskService, Query, Body>,
) => TaskRoute = routeFor<TaskService>();

/** Method, path and side of an operation of servers. */
export const server = (
  method: TaskRoute['method'],
  path: string,
): Pick<TaskRoute, 'side' | 'method' | 'path'> => ({ side: 'server', method, path });

/** The same for an operation of users. */
export const user = (
  method: TaskRoute['method'],
  path: string,
): Pick<TaskRoute, 'side' | 'method' | 'path'> => ({ side: 'user', method, path: `/me${path}` });
