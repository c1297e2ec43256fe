import { createHash, timingSafeEqual } from 'node:crypto';
import { StoreError } from '@holdfast/store';
import { TaskError } from './errors.ts';
import type { OutputPart } from './lease-writes.ts';
import type { ProgressUpdate } from './progress.ts';
import type { TaskLogger } from './task-context.ts';
import type { Tasks } from './tasks.ts';

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

type Body = Readonly<Record<string, unknown>>;

const maxWaitMs = 55_000;
const maxLeases = 1000;

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
      const route = path.slice(prefix.length + 1).split('/');
      const answer = await dispatch(tasks, route, { body, signal: request.signal });
      if (answer === undefined) {
        return Response.json(problem('not_found', `there is no ${path}`), { status: 404 });
      }
      return Response.json(answer);
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

async function readBody(request: Request, maxBytes: number): Promise<Body> {
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
  return body as Body;
}

async function dispatch(
  tasks: Tasks,
  route: readonly string[],
  { body, signal }: { body: Body; signal: AbortSignal },
): Promise<unknown> {
  const [first, id, action] = route;
  if (route.length === 1) {
    if (first === 'claim') return await claim(tasks, body, signal);
    if (first === 'heartbeat') return await heartbeats(tasks, body);
    if (first === 'bye') {
      await tasks.dismissWorker(text(body, 'worker'));
      return {};
    }
    return undefined;
  }
  if (first !== 'tasks' || id === undefined || action === undefined || route.length !== 3)
    return undefined;
  const lease = { id: id, token: integer(body, 'token') };
  switch (action) {
    case 'progress':
      return await tasks.progress(lease, progressOf(body));
    case 'output':
      return await tasks.output(lease, partsOf(body));
    case 'checkpoint':
      return await tasks.checkpoint(lease, body['value'] ?? null);
    case 'complete':
      await tasks.complete(lease, body['result']);
      return {};
    case 'fail': {
      const retryAfterMs = body['retryAfterMs'];
      await tasks.fail(lease, {
        message: text(body, 'message'),
        ...(body['reason'] === undefined ? {} : { reason: text(body, 'reason').slice(0, 100) }),
        ...(body['retryable'] === undefined ? {} : { isRetryable: body['retryable'] !== false }),
        ...(typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? { retryAfterMs } : {}),
      });
      return {};
    }
    case 'child': {
      const payload = body['payload'];
      const key = body['key'];
      const { owner } = await tasks.get(lease.id);
      return await tasks.request({
        kind: text(body, 'kind'),
        payload,
        owner,
        ...(key === undefined ? {} : { key: text(body, 'key') }),
        parent: lease,
      });
    }
    case 'release':
      await tasks.release(lease);
      return {};
    default:
      return undefined;
  }
}

async function claim(tasks: Tasks, body: Body, signal: AbortSignal): Promise<unknown> {
  const worker = text(body, 'worker');
  const kinds = body['kinds'];
  if (!Array.isArray(kinds) || kinds.length === 0 || kinds.length > 100) {
    throw new TaskError('task_bad_request', 'kinds must be a list of 1 to 100 names');
  }
  const unknown = kinds.find((kind) => typeof kind !== 'string' || !tasks.kinds.includes(kind));
  if (unknown !== undefined) {
    throw new TaskError('task_unknown_kind', `kind ${JSON.stringify(unknown)} is not known`);
  }
  const names = kinds as readonly string[];
  const limit = body['limit'] === undefined ? 1 : integer(body, 'limit');
  const waitMs = body['waitMs'] === undefined ? 0 : integer(body, 'waitMs');
  const name = body['name'] === undefined ? worker : text(body, 'name');
  await tasks.noteWorker({ id: worker, kinds: names, name, concurrency: Math.max(1, limit) });
  // A long poll and one interval of signs of life together stay below the time to live.
  const taken = await tasks.claim({
    kinds: names,
    worker,
    limit: Math.max(1, limit),
    waitMs: Math.min(waitMs, maxWaitMs, 25_000),
    signal,
  });
  return { tasks: taken };
}

/** One answer for each lease, in their order: the state, or the error. */
async function heartbeats(tasks: Tasks, body: Body): Promise<unknown> {
  const leases = body['leases'];
  if (!Array.isArray(leases) || leases.length > maxLeases) {
    throw new TaskError('task_bad_request', `leases must be a list of up to ${maxLeases}`);
  }
  if (body['worker'] !== undefined) await tasks.renewWorker(text(body, 'worker'));
  const states = [];
  for (const lease of leases as readonly Body[]) {
    try {
      states.push(await tasks.heartbeat({ id: text(lease, 'id'), token: integer(lease, 'token') }));
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      states.push({ error: { code: error.code, message: error.message, retryable: false } });
    }
  }
  return { leases: states };
}

function text(body: Body, field: string): string {
  const value = body?.[field];
  if (typeof value !== 'string' || value === '' || value.length > 10_000) {
    throw new TaskError('task_bad_request', `${field} must be text of 1 to 10000 characters`);
  }
  return value;
}

function integer(body: Body, field: string): number {
  const value = body?.[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TaskError('task_bad_request', `${field} must be a whole number from 0`);
  }
  return value;
}

function progressOf({ steps, step, fraction, message }: Body): ProgressUpdate {
  const isPlan =
    steps === undefined ||
    (Array.isArray(steps) && steps.every((one) => typeof one === 'object' && one !== null));
  const areWords = [step, message].every((one) => one === undefined || typeof one === 'string');
  if (!isPlan || !areWords || (fraction !== undefined && typeof fraction !== 'number')) {
    throw new TaskError(
      'task_bad_progress',
      'steps is a list, step and message are text, fraction a number',
    );
  }
  return {
    ...(steps === undefined ? {} : { steps: steps as ProgressUpdate['steps'] & object }),
    ...(step === undefined ? {} : { step: step as string }),
    ...(fraction === undefined ? {} : { fraction }),
    ...(message === undefined ? {} : { message: message as string }),
  };
}

function partsOf({ parts }: Body): readonly OutputPart[] {
  const isList =
    Array.isArray(parts) &&
    parts.length <= 100 &&
    parts.every((part) => typeof part === 'object' && part !== null);
  if (!isList)
    throw new TaskError('task_bad_request', 'parts must be a list of up to 100 { data }');
  return parts as readonly OutputPart[];
}
