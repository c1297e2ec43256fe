import { defined } from '@holdfast/http';
import type { DoctorOptions } from '../doctor.ts';
import type { TaskRequest } from '../task-request.ts';
import * as schemas from './schemas.ts';
import { filterOf, outputAnswer, snapshotAnswer } from './task-answers.ts';
import { route, server, type TaskRoute } from './task-service.ts';

/** Operations of the application's servers on tasks. */
export const serverRoutes: readonly TaskRoute[] = [
  route({
    ...server('POST', ''),
    summary: 'Ask for work: started, queued behind the running one, or joined to one that waits',
    body: schemas.request,
    result: schemas.answer,
    run: ({ tasks, body }) => tasks.request(defined(body) as TaskRequest),
  }),
  route({
    ...server('POST', '/batch'),
    summary: 'Ask for several pieces of work under one parent that is over when the last is',
    body: schemas.batch,
    result: schemas.batchAnswer,
    run: ({ tasks, body: { requests, ...options } }) =>
      tasks.batch(
        requests.map((one) => defined(one) as TaskRequest),
        defined(options) as { owner?: string },
      ),
  }),
  route({
    ...server('GET', ''),
    summary: 'Tasks, newest first',
    query: schemas.listQuery,
    result: schemas.page,
    run: ({ tasks, query }) => tasks.page(filterOf(query)),
  }),
  route({
    ...server('GET', '/kinds'),
    summary: 'Kinds with their living workers, what waits for them, and since when nobody is there',
    result: schemas.kinds,
    run: async ({ tasks }) => ({
      kinds: await tasks.kindViews(),
      problems: tasks.problems(),
      now: tasks.context.now(),
    }),
  }),
  route({
    ...server('GET', '/workers'),
    summary: 'Workers, also those that are gone',
    result: schemas.workers,
    run: async ({ tasks }) => ({ workers: await tasks.workers() }),
  }),
  route({
    ...server('GET', '/doctor'),
    summary: 'Every task that breaks a rule or looks stuck; changes nothing',
    query: schemas.doctorQuery,
    result: schemas.findings,
    run: async ({ tasks, query }) => ({
      findings: await tasks.examine(defined(query) as DoctorOptions),
    }),
  }),
  route({
    ...server('POST', '/doctor/heal'),
    summary: 'The same, and heals what it finds, each with an audit record',
    body: schemas.healRequest,
    result: schemas.findings,
    run: async ({ tasks, body }) => ({
      findings: await tasks.examine({ ...(defined(body) as DoctorOptions), heal: true }),
    }),
  }),
  route({
    ...server('GET', '/audit'),
    summary: 'What was repaired, newest first',
    query: schemas.auditQuery,
    result: schemas.audit,
    run: async ({ tasks, query }) => ({
      records: await tasks.repairs(defined(query) as { limit?: number }),
    }),
  }),
  route({
    ...server('GET', '/{id}'),
    summary: 'A task, and the channel position that continues it',
    result: schemas.taskSnapshot,
    run: async ({ tasks, params }) => snapshotAnswer(await tasks.snapshot(params.id ?? '')),
  }),
  route({
    ...server('GET', '/{id}/output'),
    summary: 'Output of a task after a number, from its beginning by default',
    query: schemas.outputQuery,
    result: schemas.outputPage,
    otherResult: 'text/event-stream',
    run: ({ params, query, request, ...service }) =>
      outputAnswer(service, params.id ?? '', { query, request }),
  }),
  route({
    ...server('POST', '/{id}/cancel'),
    summary: 'Cancel a task and what only it waits for; does nothing to one that is over',
    result: schemas.task,
    run: ({ tasks, params }) => tasks.cancel(params.id ?? ''),
  }),
  route({
    ...server('POST', '/{id}/retry'),
    summary: 'Ask for the work of a task that is over once more, as a new task',
    result: schemas.answer,
    run: ({ tasks, params }) => tasks.retry(params.id ?? ''),
  }),
  route({
    ...server('DELETE', '/{id}'),
    summary: 'Delete a task that is over',
    result: schemas.nothing,
    run: async ({ tasks, params }) => {
      await tasks.delete(params.id ?? '');
      return {};
    },
  }),
];
