import type { z } from 'zod';
import { HttpRefusal, InvalidRequest } from './http-refusal.ts';

const maxLineBytes = 65_536;

/** Media type of a request, without parameters. */
export function mediaType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/**
 * The JSON body of a request. Only `application/json` is taken: a form of a foreign page cannot send
 * that without asking first.
 * @throws {@link HttpRefusal} 413, 415; {@link InvalidRequest}
 */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  maxBytes: number,
): Promise<z.output<Schema>> {
  if (mediaType(request) !== 'application/json') {
    throw new HttpRefusal(
      { status: 415, code: 'unsupported_media_type' },
      'the body must be application/json',
    );
  }
  let text = '';
  let bytes = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new HttpRefusal(
          // The rest is not read, so that nothing else can come over this connection.
          { status: 413, code: 'too_large', headers: { connection: 'close' } },
          `the body must have at most ${maxBytes} bytes`,
        );
      }
      text += decoder.decode(chunk, { stream: true });
    }
    text += decoder.decode();
  } catch (error) {
    if (error instanceof HttpRefusal) throw error;
    throw new InvalidRequest('the body is not complete, or not UTF-8');
  }
  // Nothing says as much as an object without members, which many operations take.
  return parseJson(text === '' ? '{}' : text, schema);
}

/** @throws {@link InvalidRequest} */
export function parseJson<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidRequest('the body is not JSON');
  }
  return check(value, schema);
}

/** @throws {@link InvalidRequest} naming the place of the first mistake */
export function check<Schema extends z.ZodType>(value: unknown, schema: Schema): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') ?? '';
  const subject = where === '' ? 'the request' : where;
  if (issue !== undefined && isMissing(value, issue.path)) {
    throw new InvalidRequest(`${subject} is missing`);
  }
  throw new InvalidRequest(`${subject}: ${issue?.message ?? 'is not right'}`);
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let found = value;
  for (const key of path)
    found = (found as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key];
  return found === undefined;
}

/** The lines of a body, one at a time, without holding more than one. */
export async function* readLines(request: Request): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  const pieces = async function* (): AsyncGenerator<string> {
    for await (const chunk of request.body ?? []) yield decoder.decode(chunk, { stream: true });
    yield `${decoder.decode()}\n`;
  };
  try {
    for await (const piece of pieces()) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > maxLineBytes) {
        throw new InvalidRequest(`a line has more than ${maxLineBytes} characters`);
      }
      for (const line of lines) if (line.trim() !== '') yield line.trim();
    }
  } catch (error) {
    if (error instanceof InvalidRequest) throw error;
    throw new InvalidRequest('the body is not complete, or not UTF-8');
  }
}
