import { defined } from '@holdfast/http';
import type { ScheduleRule } from '../schedules/schedule-rule.ts';
import * as schemas from './schemas.ts';
import { route, server, type TaskRoute } from './task-service.ts';

/** Operations of the application's servers on schedules. */
export const scheduleRoutes: readonly TaskRoute[] = [
  route({
    ...server('GET', '/schedules'),
    summary: 'Schedules, paused ones too',
    result: schemas.schedules,
    run: async ({ tasks }) => ({
      schedules: await tasks.schedules.list(),
      now: tasks.context.now(),
    }),
  }),
  route({
    ...server('GET', '/schedules/{name}'),
    summary: 'A schedule',
    result: schemas.schedule,
    run: ({ tasks, params }) => tasks.schedules.get(params.name ?? ''),
  }),
  route({
    ...server('PATCH', '/schedules/{name}'),
    summary: 'Change fields of a schedule; they stay changed, also after a restart',
    body: schemas.scheduleEdit,
    result: schemas.schedule,
    run: ({ tasks, params, body }) =>
      tasks.schedules.edit(params.name ?? '', defined(body) as Partial<ScheduleRule>),
  }),
  route({
    ...server('POST', '/schedules/{name}/pause'),
    summary: 'Pause a schedule; it stays paused, also after a restart',
    result: schemas.schedule,
    run: ({ tasks, params }) => tasks.schedules.pause(params.name ?? ''),
  }),
  route({
    ...server('POST', '/schedules/{name}/resume'),
    summary: 'Go on with the next tick from now',
    result: schemas.schedule,
    run: ({ tasks, params }) => tasks.schedules.resume(params.name ?? ''),
  }),
  route({
    ...server('POST', '/schedules/{name}/run'),
    summary: 'Run once now; pause and ticks stay as they are',
    result: schemas.run,
    run: ({ tasks, params }) => tasks.schedules.runNow(params.name ?? ''),
  }),
  route({
    ...server('GET', '/schedules/{name}/runs'),
    summary: 'What became of each tick, newest first',
    query: schemas.runsQuery,
    result: schemas.runs,
    run: async ({ tasks, params, query: { limit = 50, cursor } }) => {
      const name = params.name ?? '';
      await tasks.schedules.get(name);
      const runs = await tasks.schedules.runs(name, {
        limit,
        ...(cursor === undefined ? {} : { before: cursor }),
      });
      return { runs, nextCursor: runs.length === limit ? (runs.at(-1)?.id ?? null) : null };
    },
  }),
  route({
    ...server('POST', '/schedules/{name}/runs/{run}/cancel'),
    summary: 'Cancel the task of a run',
    result: schemas.run,
    run: ({ tasks, params }) => tasks.cancelRun(params.name ?? '', params.run ?? ''),
  }),
];
