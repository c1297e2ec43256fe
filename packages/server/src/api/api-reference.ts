import { verbs, type JsonSchema, type OpenApiDocument, type Operation } from './open-api.ts';

/** What the API takes and gives, arranged for people; made of the OpenAPI document. */
export interface ApiReference {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly operations: readonly ReferenceOperation[];
}

export interface ReferenceOperation {
  readonly id: string;
  readonly verb: string;
  /** What it belongs to: `API` for the methods. */
  readonly tag: string;
  readonly path: string;
  readonly summary: string;
  /** Absent for requests without a body. */
  readonly request?: readonly ReferenceMember[];
  readonly result?: readonly ReferenceMember[];
  /** What each HTTP status means, for requests without a body. */
  readonly statuses: readonly (readonly [string, string])[];
}

export interface ReferenceMember {
  readonly name: string;
  /** In a few words: `list of {result, error}`. */
  readonly type: string;
  readonly isRequired: boolean;
  /** Code stands between backticks. */
  readonly description: string;
}

export function toApiReference(document: OpenApiDocument): ApiReference {
  const { title, version, description } = document.info;
  const { schemas } = document.components;
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    verbs.flatMap((verb) => {
      const operation = item[verb];
      return operation === undefined ? [] : [describe(operation, { verb, path, schemas })];
    }),
  );
  return { title, version, description, operations };
}

function describe(
  operation: Operation,
  {
    verb,
    path,
    schemas,
  }: {
    readonly verb: string;
    readonly path: string;
    readonly schemas: Readonly<Record<string, JsonSchema>>;
  },
): ReferenceOperation {
  const body = operation.requestBody?.content['application/json']?.schema;
  // The methods of the API name their schemas, all else has them in place.
  const result =
    body?.$ref === undefined
      ? resultOf(operation)
      : schemas[nameOf(body).replace(/Request$/, 'Result')];
  return {
    id: operation.operationId,
    verb: verb.toUpperCase(),
    tag: operation.tags?.[0] ?? '',
    path,
    summary: operation.summary,
    ...(body && { request: membersOf(body.$ref === undefined ? body : schemas[nameOf(body)]) }),
    ...(result && { result: membersOf(result) }),
    statuses: Object.entries(operation.responses).map(
      ([status, response]) => [status, response.description ?? ''] as const,
    ),
  };
}

/** The schema of a success, where an operation has it in place. */
function resultOf({ responses }: Operation): JsonSchema | undefined {
  return responses['200']?.content?.['application/json']?.schema;
}

/** `PublishRequest` of `{"$ref": "#/components/schemas/PublishRequest"}`. */
function nameOf(schema: JsonSchema): string {
  return schema.$ref?.split('/').at(-1) ?? '';
}

function membersOf(schema: JsonSchema = {}): readonly ReferenceMember[] {
  return Object.entries(schema.properties ?? {}).map(([name, member]) => ({
    name,
    type: typeOf(member),
    isRequired: schema.required?.includes(name) === true,
    description: member.description ?? '',
  }));
}

function typeOf(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return nameOf(schema);
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === 'object') {
    if (schema.properties) return `{${Object.keys(schema.properties).join(', ')}}`;
    const values = schema.additionalProperties;
    return typeof values === 'object' ? `map of ${typeOf(values)}` : 'object';
  }
  if (schema.contentEncoding !== undefined) return schema.contentEncoding;
  return schema.type ?? 'any JSON';
}
