import { StoreError } from '@holdfast/store';
import { TaskError } from './errors.ts';
import { cancelTree } from './cancel.ts';
import type { Kind } from './kind.ts';
import { assertWaitsForNoAncestor } from './wait-graph.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskRow } from './task-module.ts';
import type { Needs } from './task-rows.ts';
import type { TaskUnit } from './task-unit.ts';
import { isOver, viewOf, type TaskView } from './task-view.ts';
import { expire, followUpSlot, makePending, newRow, settle } from './transitions.ts';

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
const maxConflicts = 5;

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

/** The JSON of `value`. @throws {@link TaskError} `task_bad_request`, `task_too_large` */
export function toJson(
  value: unknown,
  limit: { readonly what: string; readonly maxBytes: number },
): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new TaskError('task_bad_request', `the ${limit.what} cannot be written as JSON`, {
      cause: error,
    });
  }
  if (json === undefined) {
    throw new TaskError('task_bad_request', `the ${limit.what} has no JSON form`);
  }
  const bytes = Buffer.byteLength(json);
  if (bytes > limit.maxBytes) {
    throw new TaskError(
      'task_too_large',
      `the ${limit.what} has ${bytes} of ${limit.maxBytes} bytes`,
    );
  }
  return json;
}

/** Names to lock before {@link makeRequests}, in one call. */
export function locksOf(requests: readonly PreparedRequest[]): readonly string[] {
  const names = new Set<string>();
  for (const { slot, request, maxLive, kind, owner } of requests) {
    if (maxLive !== undefined) names.add(`task-user:${kind.name}\n${owner}`);
    if (slot !== null) names.add(`task-slot:${slot}`);
    // Who waits for whom is looked at and changed by one at a time.
    if (slot !== null && request.parent !== undefined) names.add('task-wait-graph');
    if (request.idempotencyKey !== undefined) names.add(`task-once:${request.idempotencyKey}`);
  }
  return [...names];
}

function needsOf(requests: readonly PreparedRequest[]): Needs {
  return {
    locks: locksOf(requests),
    ids: requests.flatMap(({ request }) => request.parent?.id ?? []),
    slots: requests.flatMap(({ slot }) => (slot === null ? [] : [slot, followUpSlot(slot)])),
    idempotencyKeys: requests.flatMap(({ request }) => request.idempotencyKey ?? []),
    lines: requests.map(({ kind, owner }) => ({ kind: kind.name, owner })),
  };
}

/** Makes requests. All are granted, or none. */
export function requestTasks(
  context: TaskContext,
  requests: readonly TaskRequest[],
): Promise<readonly TaskAnswer[]> {
  return requestPrepared(
    context,
    requests.map((request) => prepareRequest(context, request)),
  );
}

async function requestPrepared(
  context: TaskContext,
  prepared: readonly PreparedRequest[],
): Promise<readonly TaskAnswer[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await context.group.run(needsOf(prepared), (unit) => makeRequests(unit, prepared));
    } catch (error) {
      // A promoted follow-up can take a slot in the moment between looking and inserting.
      const isRace = error instanceof StoreError && error.details.constraint === 'unique';
      if (!isRace || attempt >= maxConflicts) throw error;
    }
  }
}

/** What a user may say. */
export type UserTaskRequest = Pick<
  TaskRequest,
  'kind' | 'payload' | 'key' | 'idempotencyKey' | 'force'
>;

/**
 * Makes a request of a user: for kinds that are open to users, as their own, and only so many.
 * @throws {@link TaskError} `task_forbidden`, `task_too_many`, and what any request throws
 */
export async function requestAsUser(
  context: TaskContext,
  user: string,
  { kind, payload, key, idempotencyKey, force }: UserTaskRequest,
): Promise<TaskAnswer> {
  if (context.isKnown(kind) && !context.kind(kind).isOpenToUsers) {
    throw new TaskError('task_forbidden', `users may not ask for ${kind}`);
  }
  const prepared = prepareRequest(context, {
    kind,
    payload,
    owner: user,
    ...(key === undefined ? {} : { key }),
    ...(force === undefined ? {} : { force }),
    // Idempotency keys of users never meet those of others.
    ...(idempotencyKey === undefined
      ? {}
      : { idempotencyKey: `user:${JSON.stringify(user)}:${idempotencyKey}` }),
  });
  const maxLive = prepared.kind.maxLivePerUser;
  const [answer] = await requestPrepared(context, [{ ...prepared, maxLive }]);
  if (answer === undefined) throw new Error('a request without an answer');
  return answer;
}

/** Makes requests in a transaction that holds {@link locksOf} them. */
export async function makeRequests(
  unit: TaskUnit,
  prepared: readonly PreparedRequest[],
): Promise<readonly TaskAnswer[]> {
  const made: { row: TaskRow; outcome: TaskAnswer['outcome'] }[] = [];
  for (const one of prepared) made.push(await makeOne(unit, one));
  const { metrics } = unit.context;
  unit.afterCommit(() => {
    metrics.requested += made.length;
    metrics.joined += made.filter(({ outcome }) => outcome === 'joined').length;
    unit.context.wake(new Set(made.map(({ row }) => row.kind)));
  });
  const facts = { ...unit.context, now: unit.now };
  return made.map(({ row, outcome }) => ({ id: row.id, outcome, task: viewOf(row, facts) }));
}

async function makeOne(
  unit: TaskUnit,
  prepared: PreparedRequest,
): Promise<{ row: TaskRow; outcome: TaskAnswer['outcome'] }> {
  const { request, slot } = prepared;
  const { idempotencyKey } = request;
  if (idempotencyKey !== undefined) {
    const row = await unit.answerTo(idempotencyKey);
    if (row !== undefined) return { row, outcome: 'joined' };
  }
  const parent = await loadParent(unit, request);
  const holder = slot === null ? undefined : await liveHolder(unit, slot, request.force === true);
  if (slot === null || holder === undefined) {
    const row = await insert(unit, prepared, 'pending');
    await link(unit, parent, row);
    return { row, outcome: 'started' };
  }
  if (holder.state === 'pending') {
    await joinWaiting(unit, holder, { prepared, parent });
    return { row: holder, outcome: 'joined' };
  }
  if (parent !== undefined) await assertWaitsForNoAncestor(unit, { waitsFor: holder, parent });
  const next = await unit.holderOf(followUpSlot(slot));
  if (next !== undefined) {
    await joinWaiting(unit, next, { prepared, parent });
    return { row: next, outcome: 'joined' };
  }
  const row = await insert(unit, prepared, 'queued');
  await link(unit, parent, row);
  return { row, outcome: 'queued' };
}

async function loadParent(unit: TaskUnit, { parent }: TaskRequest): Promise<TaskRow | undefined> {
  if (parent === undefined) return undefined;
  const row = await unit.load(parent.id);
  if (parent.token !== undefined && !holdsLease(unit, row, parent.token)) {
    throw new TaskError('task_fenced', `task ${row.id} is no longer yours`);
  }
  if (isOver(row) || row.cancel_at !== null) {
    throw new TaskError('task_parent_over', `task ${row.id} takes no more children`);
  }
  return row;
}

/** Whether an attempt may still write. An expired lease is over, even if nobody has noticed yet. */
export function holdsLease(unit: TaskUnit, row: TaskRow, token: number): boolean {
  return row.state === 'running' && row.token === token && (row.expires_at ?? 0) > unit.now;
}

/** The live task that has the slot. One whose time is over gives it up or starts anew, right here. */
async function liveHolder(
  unit: TaskUnit,
  slot: string,
  isForced: boolean,
): Promise<TaskRow | undefined> {
  const holder = await unit.holderOf(slot);
  if (holder === undefined) return undefined;
  if (await expire(unit, holder)) {
    // Somebody wants it now: no backoff.
    if (holder.state === 'pending') holder.available_at = unit.now;
    return unit.holderOf(slot);
  }
  if (!isForced || holder.state === 'pending') return holder;
  if (holder.state === 'running' && holder.children_open === 0) {
    holder.cancel_at ??= unit.now;
    await settle(unit, holder, { state: 'cancelled', reason: 'superseded' });
  } else {
    await cancelTree(unit, holder.id);
  }
  return unit.holderOf(slot);
}

async function joinWaiting(
  unit: TaskUnit,
  row: TaskRow,
  { prepared, parent }: { prepared: PreparedRequest; parent: TaskRow | undefined },
): Promise<void> {
  const { kind, request } = prepared;
  const merged = kind.merge(JSON.parse(row.payload), request.payload ?? null);
  row.payload = toJson(merged, {
    what: `merged payload of ${kind.name}`,
    maxBytes: kind.maxPayloadBytes,
  });
  const availableAt = unit.now + (request.force === true ? 0 : (request.delayMs ?? 0));
  // A retry keeps its backoff unless somebody insists; a first start comes as early as anybody asked.
  if (request.force === true || row.attempt === 0) {
    row.available_at = Math.min(row.available_at, availableAt);
  }
  limitRuntime(row, request);
  if (request.force === true && row.attempt >= row.max_attempts) row.max_attempts = row.attempt + 1;
  unit.touch(row, row.state === 'queued' ? 'queued' : 'pending');
  if (parent === undefined) return;
  if (parent.id === row.id) {
    throw new TaskError('task_cycle', `task ${row.id} cannot be its own child`);
  }
  await assertWaitsForNoAncestor(unit, { waitsFor: row, parent });
  await link(unit, parent, row);
}

async function insert(
  unit: TaskUnit,
  prepared: PreparedRequest,
  state: 'pending' | 'queued',
): Promise<TaskRow> {
  const { kind, owner, payload, request, slot, key } = prepared;
  await assertNotTooMany(unit, prepared);
  const row = newRow(unit, {
    kind: kind.name,
    owner,
    payload,
    maxAttempts: request.attempts ?? kind.attempts,
  });
  const delayMs = request.delayMs ?? 0;
  row.unique_key = key;
  row.lane = request.lane ?? '';
  row.idempotency_key = request.idempotencyKey ?? null;
  row.schedule = request.schedule ?? null;
  limitRuntime(row, request);
  if (request.checkpoint !== undefined && request.checkpoint !== null) {
    row.checkpoint = toJson(request.checkpoint, {
      what: `checkpoint of ${kind.name}`,
      maxBytes: kind.maxCheckpointBytes,
    });
  }
  if (state === 'pending') {
    row.slot = slot;
    await makePending(unit, row, { delayMs });
  } else {
    row.state = 'queued';
    row.slot = slot === null ? null : followUpSlot(slot);
    row.available_at = unit.now + delayMs;
  }
  unit.add(row, state);
  return row;
}

async function assertNotTooMany(
  unit: TaskUnit,
  { kind, owner, maxLive }: PreparedRequest,
): Promise<void> {
  if (maxLive === undefined) return;
  const live = await unit.trx
    .selectFrom('tasks')
    .select('id')
    .where('kind', '=', kind.name)
    .where('owner', '=', owner)
    .where('state', 'in', ['queued', 'pending', 'running', 'awaiting'])
    .limit(maxLive)
    .execute();
  if (live.length < maxLive) return;
  throw new TaskError('task_too_many', `${maxLive} tasks of ${kind.name} are not over yet`);
}

function limitRuntime(row: TaskRow, { maxRuntimeMs }: TaskRequest): void {
  if (maxRuntimeMs === undefined) return;
  row.max_runtime_ms = Math.floor(Math.min(maxRuntimeMs, Number.MAX_SAFE_INTEGER / 4));
}

async function link(unit: TaskUnit, parent: TaskRow | undefined, child: TaskRow): Promise<void> {
  if (parent === undefined) return;
  const { numInsertedOrUpdatedRows } = await unit.trx
    .insertInto('task_links')
    .values({ parent_id: parent.id, child_id: child.id })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) return;
  child.parents += 1;
  parent.children += 1;
  parent.children_open += 1;
  unit.touch(parent, 'children');
}
