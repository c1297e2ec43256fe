import { TaskError } from './errors.ts';
import type { OutputPart } from './lease-writes.ts';
import type { ProgressUpdate } from './progress.ts';
import type { Tasks } from './tasks.ts';

/** A JSON object. */
export type WorkerBody = Readonly<Record<string, unknown>>;

const maxWaitMs = 25_000;
const maxLeases = 1000;

/** What a worker can ask for, by whatever way it comes. */
export const workerCalls = [
  'claim',
  'heartbeat',
  'bye',
  'progress',
  'output',
  'checkpoint',
  'complete',
  'fail',
  'child',
  'release',
] as const;

/** One of the calls that workers can make. */
export type WorkerCall = (typeof workerCalls)[number];

/** Calls that are about one task, which `id` of the body names. */
const aboutTask: ReadonlySet<WorkerCall> = new Set(workerCalls.slice(3));

/** Whether there is such a call, and it is about one task. */
export function isTaskCall(call: string): call is WorkerCall {
  return aboutTask.has(call as WorkerCall);
}

/**
 * Does what a worker asks for. The answer is JSON.
 * @throws {@link TaskError}
 */
export async function answerWorker(
  tasks: Tasks,
  call: WorkerCall,
  { body, signal }: { readonly body: WorkerBody; readonly signal: AbortSignal },
): Promise<object> {
  if (call === 'claim') return await claim(tasks, body, signal);
  if (call === 'heartbeat') return await heartbeats(tasks, body);
  if (call === 'bye') {
    await tasks.dismissWorker(text(body, 'worker'));
    return {};
  }
  const lease = { id: text(body, 'id'), token: integer(body, 'token') };
  switch (call) {
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
  }
}

async function claim(tasks: Tasks, body: WorkerBody, signal: AbortSignal): Promise<object> {
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
    waitMs: Math.min(waitMs, maxWaitMs),
    signal,
  });
  return { tasks: taken };
}

/** One answer for each lease, in their order: the state, or the error. */
async function heartbeats(tasks: Tasks, body: WorkerBody): Promise<object> {
  const leases = body['leases'];
  if (!Array.isArray(leases) || leases.length > maxLeases) {
    throw new TaskError('task_bad_request', `leases must be a list of up to ${maxLeases}`);
  }
  if (body['worker'] !== undefined) await tasks.renewWorker(text(body, 'worker'));
  const states = (leases as readonly WorkerBody[]).map((lease) => heartbeatOf(tasks, lease));
  return { leases: await Promise.all(states) };
}

async function heartbeatOf(tasks: Tasks, lease: WorkerBody): Promise<object> {
  try {
    return await tasks.heartbeat({ id: text(lease, 'id'), token: integer(lease, 'token') });
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    return { error: { code: error.code, message: error.message, retryable: false } };
  }
}

function text(body: WorkerBody, field: string): string {
  const value = body?.[field];
  if (typeof value !== 'string' || value === '' || value.length > 10_000) {
    throw new TaskError('task_bad_request', `${field} must be text of 1 to 10000 characters`);
  }
  return value;
}

function integer(body: WorkerBody, field: string): number {
  const value = body?.[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TaskError('task_bad_request', `${field} must be a whole number from 0`);
  }
  return value;
}

function progressOf({ steps, step, fraction, message }: WorkerBody): ProgressUpdate {
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

function partsOf({ parts }: WorkerBody): readonly OutputPart[] {
  const isList =
    Array.isArray(parts) &&
    parts.length <= 100 &&
    parts.every((part) => typeof part === 'object' && part !== null);
  if (!isList)
    throw new TaskError('task_bad_request', 'parts must be a list of up to 100 { data }');
  return parts as readonly OutputPart[];
}
