import { scheduleRoutes } from './schedule-routes.ts';
import { serverRoutes } from './server-routes.ts';
import type { TaskRoute } from './task-service.ts';
import { userRoutes } from './user-routes.ts';

/** Every operation of the HTTP interface; the handler and the OpenAPI document are made of it. */
export const routes: readonly TaskRoute[] = [...serverRoutes, ...scheduleRoutes, ...userRoutes];
