import type { OpenApiPart } from '@holdfast/http';
import { errorCodes } from '@holdfast/protocol';
import { z } from 'zod';
import { version } from '../version.ts';
import { batchRequest, batchResult } from './executor.ts';
import { apiMethods } from './methods.ts';
import { errorObject } from './schemas.ts';

/** A JSON Schema (2020-12) as far as the pages of this server look into it. */
export interface JsonSchema {
  readonly type?: string;
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly oneOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly contentEncoding?: string;
}

/** What an operation answers with: in place, or where it is described. */
interface Answer {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: JsonSchema }>>;
}

/** Verbs of HTTP that operations have here. */
export const verbs = ['get', 'post', 'put', 'patch', 'delete'] as const;

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly object[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>;
  };
  readonly responses: Readonly<Record<string, Answer>>;
  readonly security?: readonly object[];
}

/** The part of OpenAPI 3.1 that this server's document uses. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly security: readonly object[];
  readonly paths: Readonly<
    Record<string, { readonly [Verb in (typeof verbs)[number]]?: Operation }>
  >;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}

/** `history_remove` to `HistoryRemove`. */
function pascalCase(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

const methods = Object.entries({
  ...apiMethods,
  batch: {
    summary: 'Run many commands in one request',
    request: batchRequest,
    result: batchResult,
  },
});

const refTo = (id: string) => ({ $ref: `#/components/schemas/${id}` });
const json = (schema: JsonSchema) => ({ 'application/json': { schema } });

function schemasOf(io: 'input' | 'output'): Record<string, JsonSchema> {
  const registry = z.registry<{ readonly id: string }>();
  registry.add(errorObject, { id: 'Error' });
  const added = new Map<z.ZodType, string>();
  for (const [name, method] of methods) {
    const schema = io === 'input' ? method.request : method.result;
    const id = `${pascalCase(name)}${io === 'input' ? 'Request' : 'Result'}`;
    // Methods may share a schema; in the document each has its own name.
    const own = added.has(schema) ? schema.clone() : schema;
    added.set(own, id);
    registry.add(own, { id });
  }
  const { schemas } = z.toJSONSchema(registry, {
    io,
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      // Replies may gain members; a client that was generated must not break on them.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  for (const schema of Object.values(schemas)) {
    delete schema.$id;
    delete schema.$schema;
  }
  return schemas as Record<string, JsonSchema>;
}

function methodPath(name: string, summary: string): { readonly post: Operation } {
  const id = pascalCase(name);
  const result =
    name === 'batch'
      ? refTo('BatchResult')
      : {
          oneOf: [
            { type: 'object', required: ['result'], properties: { result: refTo(`${id}Result`) } },
            { type: 'object', required: ['error'], properties: { error: refTo('Error') } },
          ],
        };
  return {
    post: {
      operationId: name,
      summary,
      tags: ['API'],
      parameters: [
        {
          name: 'X-Centrifugo-Error-Mode',
          in: 'header',
          schema: { type: 'string', enum: ['transport'] },
          description: 'Answer an error with an HTTP status and the bare error as body',
        },
      ],
      requestBody: { required: true, content: json(refTo(`${id}Request`)) },
      responses: {
        '200': { description: 'The result, or an error of the method', content: json(result) },
        '400': { $ref: '#/components/responses/Malformed' },
        '401': { $ref: '#/components/responses/Unauthorized' },
        '413': { $ref: '#/components/responses/TooLarge' },
        '415': { $ref: '#/components/responses/Encoded' },
      },
    },
  };
}

function errorResponse(description: string): object {
  return {
    description,
    content: json({
      type: 'object',
      required: ['error'],
      properties: { error: refTo('Error') },
    }),
  };
}

const errorTable = Object.values(errorCodes)
  .map(({ code, message }) => `${code} ${message}`)
  .join(', ');

const description = `Commands for an application's backend. Every method is a POST of one JSON object; unknown members are ignored. Expected errors come in the body of a 200 reply as \`{"error": {"code", "message"}}\`, so clients look there first. Error codes: ${errorTable}. Codes from 400 to 1999 belong to applications.`;

/**
 * @param prefix - where the API is mounted, such as `/api`
 * @param parts - what else is served
 */
export function createOpenApiDocument(
  prefix: string,
  parts: readonly OpenApiPart[] = [],
): OpenApiDocument {
  const get = (operationId: string, summary: string, responses: Record<string, Answer>) => ({
    get: { operationId, summary, tags: ['Operation'], security: [], responses },
  });
  return {
    openapi: '3.1.0',
    info: { title: 'Holdfast server API', version, description },
    servers: [{ url: '/' }],
    security: [{ header: [] }, { authorization: [] }, { query: [] }],
    paths: {
      ...Object.fromEntries(
        methods.map(([name, { summary }]) => [`${prefix}/${name}`, methodPath(name, summary)]),
      ),
      ...Object.assign({}, ...parts.map(({ paths }) => paths)),
      '/health': get('health', 'The process lives', { '200': { description: 'Always' } }),
      '/ready': get('ready', 'Whether this node can serve, and what keeps it from doing so', {
        '200': { description: 'It can; `concerns` says what does not work all the same' },
        '503': { description: 'It cannot; `problems` says why' },
      }),
      '/metrics': get('metrics', 'Metrics for Prometheus', {
        '200': { description: 'In the text format', content: { 'text/plain': {} } },
      }),
    },
    components: {
      schemas: { ...schemasOf('input'), ...schemasOf('output') },
      responses: {
        Malformed: errorResponse('The body is not JSON'),
        Unauthorized: errorResponse('The API key is missing or wrong'),
        TooLarge: errorResponse('The body is longer than the server takes'),
        Encoded: errorResponse('The body is compressed'),
      },
      securitySchemes: {
        header: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        authorization: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: '`apikey <key>`',
        },
        query: {
          type: 'apiKey',
          in: 'query',
          name: 'api_key',
          description: 'For clients that cannot set headers; addresses end up in logs',
        },
        ...Object.assign({}, ...parts.map(({ securitySchemes }) => securitySchemes)),
      },
    },
  };
}
