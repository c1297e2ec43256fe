import { z } from 'zod';
import type { Route } from './route.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** A feature's part of an OpenAPI 3.1 document. */
export interface OpenApiPart {
  readonly paths: Readonly<Record<string, JsonObject>>;
  /** `apiKey` and `userToken`, which the operations refer to. */
  readonly securitySchemes: Readonly<Record<string, JsonObject>>;
}

/** How every refusal and failure looks. */
export const errorBody: z.ZodObject<{
  error: z.ZodObject<{ code: z.ZodString; message: z.ZodString; retryable: z.ZodBoolean }>;
}> = z.object({
  error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }),
});

/**
 * Describes every route of a table.
 * @param options.name one word: the tag, and the beginning of every operation's id
 */
export function openApiOf<Service>(
  routes: readonly Route<Service>[],
  options: { readonly basePath: string; readonly name: string },
): OpenApiPart {
  const { basePath, name } = options;
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = (paths[`${basePath}${route.path}`] ??= {});
    path[route.method.toLowerCase()] = operation(route, name);
  }
  return {
    paths,
    securitySchemes: {
      apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      userToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    },
  };
}

function operation<Service>(route: Route<Service>, name: string): JsonObject {
  const content = {
    ...json(schemaOf(route.result, 'output')),
    ...(route.otherResult === undefined
      ? {}
      : { [route.otherResult]: { schema: { type: 'string' } } }),
  };
  return {
    operationId: operationId(route, name),
    tags: [route.side === 'server' ? name : `${name} of the user`],
    summary: route.summary,
    security: [route.side === 'server' ? { apiKey: [] } : { userToken: [] }],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: bodyContent(route, route.body) } }),
    responses: {
      '200': { description: 'Done', content },
      default: {
        description: 'Refused: the code says why, the message what to do',
        content: json(schemaOf(errorBody, 'output')),
      },
    },
  };
}

/** `POST /me/read-all` of the inbox is `inboxPostMeReadAll`. */
function operationId<Service>({ method, path }: Route<Service>, name: string): string {
  const words = `${method.toLowerCase()} ${path}`.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return `${name}${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}`;
}

function pathParameters<Service>(route: Route<Service>): readonly JsonObject[] {
  return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters<Service>(route: Route<Service>): readonly JsonObject[] {
  if (route.query === undefined) return [];
  const { properties = {} } = schemaOf(route.query, 'output') as { properties?: JsonObject };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}

function bodyContent<Service>({ otherBody }: Route<Service>, body: z.ZodType): JsonObject {
  const content = json(schemaOf(body, 'input'));
  if (otherBody === undefined) return content;
  return { ...content, [otherBody.mediaType]: { schema: schemaOf(otherBody.schema, 'input') } };
}

function json(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
