import { cancelTree } from './cancel.ts';
import { TaskError } from './errors.ts';
import { holdsLease } from './lease-writes.ts';
import { toJson } from './task-json.ts';
import { liveStates, type TaskRow } from './task-module.ts';
import type { PreparedRequest, TaskAnswer, TaskRequest } from './task-request.ts';
import type { TaskUnit } from './task-unit.ts';
import { isOver, viewOf } from './task-view.ts';
import { expire, followUpSlot, makePending, newRow, settle } from './transitions.ts';
import { assertWaitsForNoAncestor } from './wait-graph.ts';

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
    .where('state', 'in', liveStates)
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
