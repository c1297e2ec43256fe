import { z } from 'zod';
import { routes, type Route } from './routes.ts';
import { errorBody, streamedSendRequest } from './schemas.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** The inbox's part of an OpenAPI 3.1 document. */
export interface InboxOpenApi {
  readonly paths: Readonly<Record<string, JsonObject>>;
  /** `apiKey` and `userToken`, which the operations refer to. */
  readonly securitySchemes: Readonly<Record<string, JsonObject>>;
}

/** Describes every operation of the HTTP interface, from the table that also serves it. */
export function inboxOpenApi(basePath = '/inbox'): InboxOpenApi {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = (paths[`${basePath}${route.path}`] ??= {});
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    paths,
    securitySchemes: {
      apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      userToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    },
  };
}

function operation(route: Route): JsonObject {
  return {
    operationId: operationId(route),
    tags: [route.side === 'server' ? 'inbox' : 'inbox of the user'],
    summary: route.summary,
    security: [route.side === 'server' ? { apiKey: [] } : { userToken: [] }],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: bodyContent(route.path, route.body) } }),
    responses: {
      '200': { description: 'Done', content: json(schemaOf(route.result, 'output')) },
      default: {
        description: 'Refused: the code says why, the message what to do',
        content: json(schemaOf(errorBody, 'output')),
      },
    },
  };
}

/** `POST /me/read-all` is `inboxPostMeReadAll`. */
function operationId({ method, path }: Route): string {
  const words = `${method.toLowerCase()} ${path}`.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return `inbox${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}`;
}

function pathParameters(route: Route): readonly JsonObject[] {
  return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(route: Route): readonly JsonObject[] {
  if (route.query === undefined) return [];
  const { properties = {} } = schemaOf(route.query, 'output') as { properties?: JsonObject };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}

function bodyContent(path: string, body: z.ZodType): JsonObject {
  const content = json(schemaOf(body, 'input'));
  if (path !== '/send') return content;
  return { ...content, 'application/x-ndjson': { schema: schemaOf(streamedSendRequest, 'input') } };
}

function json(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
