import { createHash, timingSafeEqual } from 'node:crypto';
import { StoreError } from '@holdfast/store';
import { TaskError } from './errors.ts';
import type { TaskLogger } from './task-context.ts';
import type { Tasks } from './tasks.ts';
import {
  answerWorker,
  isTaskCall,
  workerCalls,
  type WorkerBody,
  type WorkerCall,
} from './worker-calls.ts';

/** Whose calls are taken, and where. */
export interface WorkerApiOptions {
  readonly tasks: Tasks;
  /** Bearer tokens of workers. At least one. */
  readonly tokens: readonly string[];
  /** Path that the routes stand under. @defaultValue '/api/worker' */
  readonly prefix?: string;
  /** Longest body in bytes. @defaultValue 262144 */
  readonly maxBodyBytes?: number;
  readonly logger?: TaskLogger;
}

/**
 * The HTTP API of workers in any language, as a function from request to response. `docs/tasks.md`
 * describes it. Every route is a POST with a JSON object.
 */
export function createWorkerApi(
  options: WorkerApiOptions,
): (request: Request) => Promise<Response> {
  const { tasks, prefix = '/api/worker', maxBodyBytes = 262_144 } = options;
  if (options.tokens.length === 0 || options.tokens.includes('')) {
    throw new TaskError('task_bad_request', 'the worker API needs at least one token');
  }
  const hashes = options.tokens.map(hash);
  return async (request) => {
    try {
      authorize(request, hashes);
      const path = new URL(request.url).pathname;
      if (request.method !== 'POST' || !path.startsWith(`${prefix}/`)) {
        return Response.json(problem('not_found', `POST ${prefix}/claim and so on`), {
          status: 404,
        });
      }
      const body = await readBody(request, maxBodyBytes);
      const found = callOf(path.slice(prefix.length + 1).split('/'));
      if (found === undefined) {
        return Response.json(problem('not_found', `there is no ${path}`), { status: 404 });
      }
      const { call, id } = found;
      const whole = id === undefined ? body : { ...body, id };
      return Response.json(
        await answerWorker(tasks, call, { body: whole, signal: request.signal }),
      );
    } catch (error) {
      if (error instanceof TaskError || error instanceof StoreError) {
        const { code, message, httpStatus, retryable } = error;
        return Response.json(
          { error: { code, message, retryable } },
          { status: httpStatus, ...(retryable ? { headers: { 'retry-after': '1' } } : {}) },
        );
      }
      options.logger?.error({ err: error }, 'a request of a worker failed');
      return Response.json(problem('internal', 'see the log of the server'), { status: 500 });
    }
  };
}

function problem(code: string, message: string): object {
  return { error: { code, message, retryable: false } };
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function authorize(request: Request, hashes: readonly Buffer[]): void {
  const given = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
  const actual = hash(given);
  // All are compared, so that the time tells nothing.
  const isKnown = hashes.map((one) => timingSafeEqual(one, actual)).includes(true);
  if (!isKnown) throw new TaskError('task_unauthorized', 'no valid worker token in Authorization');
}

async function readBody(request: Request, maxBytes: number): Promise<WorkerBody> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new TaskError('task_too_large', `a body over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
  } catch (error) {
    throw new TaskError('task_bad_request', 'the body is not JSON', { cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new TaskError('task_bad_request', 'the body is not a JSON object');
  }
  return body as WorkerBody;
}

/** `claim`, or `tasks/<id>/progress`. */
function callOf(
  route: readonly string[],
): { readonly call: WorkerCall; readonly id?: string } | undefined {
  const [first = '', id = '', action = ''] = route;
  if (route.length === 3) {
    return first === 'tasks' && id !== '' && isTaskCall(action) ? { call: action, id } : undefined;
  }
  const call = workerCalls.find((one) => one === first);
  return route.length > 1 || call === undefined || isTaskCall(call) ? undefined : { call };
}
