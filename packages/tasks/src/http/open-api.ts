import { openApiOf, type OpenApiPart } from '@holdfast/http';
import { routes } from './routes.ts';

/** Describes every operation of the HTTP interface, from the table that also serves it. */
export function tasksOpenApi(basePath = '/tasks'): OpenApiPart {
  return openApiOf(routes, { basePath, name: 'tasks' });
}
