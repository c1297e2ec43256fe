import type { TaskView } from '@holdfast/protocol/tasks';
import { TaskError } from './errors.ts';
import type { Kind } from './kind.ts';
import type { TaskContext } from './task-context.ts';
import { toJson } from './task-json.ts';

/** Asks for work. */
export interface TaskRequest {
  readonly kind: string;
  /** Anything that JSON can say. @defaultValue null */
  readonly payload?: unknown;
  /** User it belongs to. @defaultValue '', the system's own */
  readonly owner?: string;
  /** Requests of one kind and key share work. @defaultValue what the kind's `key` says */
  readonly key?: string;
  /** Tasks of one kind and lane share the limit `perLane`. */
  readonly lane?: string;
  /** Repeating a request with the same key changes nothing and gives the same task. */
  readonly idempotencyKey?: string;
  /** Not to be started before so many milliseconds have passed. */
  readonly delayMs?: number;
  /**
   * Starts now, whatever has the key: a waiting task loses its delay, a running one is cancelled at
   * once, without grace.
   */
  readonly force?: boolean;
  /** The task that is to end after this one. With a token, only while that attempt lasts. */
  readonly parent?: { readonly id: string; readonly token?: number };
  /** @defaultValue what the kind says */
  readonly attempts?: number;
  /** Longest run of one attempt, when that is shorter than what the kind says. */
  readonly maxRuntimeMs?: number;
  /** What the first attempt begins with, as an earlier one left it with `checkpoint`. */
  readonly checkpoint?: unknown;
  /** Name of the schedule that asks. */
  readonly schedule?: string;
}

/** What became of a request. */
export interface TaskAnswer {
  readonly id: string;
  /**
   * `started`: a new task that a worker can take. `queued`: a new task that follows the running one
   * of the same key. `joined`: a task that was waiting already, now with this request's payload.
   */
  readonly outcome: 'started' | 'queued' | 'joined';
  readonly task: TaskView;
}

/** What a user may say. */
export type UserTaskRequest = Pick<
  TaskRequest,
  'kind' | 'payload' | 'key' | 'idempotencyKey' | 'force'
>;

/** A request that has been checked. */
export interface PreparedRequest {
  readonly request: TaskRequest;
  readonly kind: Kind;
  readonly owner: string;
  readonly payload: string;
  readonly slot: string | null;
  readonly key: string | null;
  /** Most live tasks of its kind and owner, this one included. */
  readonly maxLive?: number;
}

const maxKeyLength = 500;

/** Checks a request. @throws {@link TaskError} */
export function prepareRequest(context: TaskContext, request: TaskRequest): PreparedRequest {
  if (!context.isKnown(request.kind)) {
    throw new TaskError('task_unknown_kind', `kind ${JSON.stringify(request.kind)} is not known`);
  }
  const kind = context.kind(request.kind);
  const owner = request.owner ?? '';
  const payload = toJson(request.payload ?? null, {
    what: `payload of ${kind.name}`,
    maxBytes: kind.maxPayloadBytes,
  });
  const key = request.key ?? kind.key?.(request.payload ?? null, owner) ?? null;
  for (const [field, value] of Object.entries({
    owner,
    key,
    lane: request.lane,
    idempotencyKey: request.idempotencyKey,
  })) {
    if (value === null || value === undefined) continue;
    if (typeof value !== 'string' || value.length > maxKeyLength) {
      throw new TaskError(
        'task_bad_request',
        `${field} must be text of up to ${maxKeyLength} characters`,
      );
    }
  }
  const { delayMs = 0, attempts = 1, maxRuntimeMs = 1 } = request;
  if (!(maxRuntimeMs >= 1)) {
    throw new TaskError('task_bad_request', 'maxRuntimeMs must be a number of milliseconds from 1');
  }
  if (!(delayMs >= 0 && delayMs <= Number.MAX_SAFE_INTEGER / 4)) {
    throw new TaskError('task_bad_request', 'delayMs must be a number of milliseconds from 0');
  }
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 1000) {
    throw new TaskError('task_bad_request', 'attempts must be from 1 to 1000');
  }
  return { request, kind, owner, payload, key, slot: slotOf({ kind, owner, key }) };
}

/** What users ask for themselves never meets what others asked for: no key they choose can name it. */
function slotOf({
  kind,
  owner,
  key,
}: Pick<PreparedRequest, 'kind' | 'owner' | 'key'>): string | null {
  if (key === null) return null;
  const scope = kind.isOpenToUsers ? `${JSON.stringify(owner)}\n` : '';
  return `${kind.name}\n${scope}${key}`;
}
