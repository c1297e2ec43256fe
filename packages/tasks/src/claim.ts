import { sql } from 'kysely';
import type { Kind } from './kind.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskRow } from './task-module.ts';
import { TaskUnit } from './task-unit.ts';
import { expire } from './transitions.ts';

/** The right to work on a task, for one attempt. Whoever shows it is the worker. */
export interface Lease {
  readonly id: string;
  /** Fencing token: every write of the worker carries it. */
  readonly token: number;
}

/** A task that a worker has taken. */
export interface ClaimedTask extends Lease {
  readonly kind: string;
  readonly owner: string;
  readonly payload: unknown;
  /** From 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** Unix milliseconds of the server. */
  readonly now: number;
  readonly expiresAt: number;
  /** The lease is never extended beyond. */
  readonly deadlineAt: number;
  readonly createdAt: number;
  readonly schedule: string | null;
  /** What the attempt before left with `checkpoint`; null for a start from the beginning. */
  readonly checkpoint: unknown;
  /** Last sequence number in the output that earlier attempts left. */
  readonly outputSeq: number;
}

/** Which tasks a worker takes, and how many. */
export interface ClaimOptions {
  readonly kinds: readonly string[];
  /** Id of the worker, as told to the registry. */
  readonly worker: string;
  /** At most 100. @defaultValue 1 */
  readonly limit?: number;
}

const reclaimRows = 100;

/**
 * Takes tasks that are due, fair between owners and within the limits of their kinds, for several who
 * claim at once: who came first is served first. Leases that have expired are taken back first, in the
 * same transaction.
 * @returns what each got
 */
export async function claimTasks(
  context: TaskContext,
  claims: readonly Required<ClaimOptions>[],
): Promise<readonly (readonly ClaimedTask[])[]> {
  const names = new Set(claims.flatMap((claim) => claim.kinds));
  const kinds = [...names].map((name) => context.kind(name));
  // Counting what runs and starting more is done by one at a time.
  const locks = kinds.filter(isLimited).map(({ name }) => `task-claim:${name}`);
  return await TaskUnit.run(
    context,
    async (unit) => {
      const claimed = claims.map((claim) => ({ ...claim, tasks: [] as ClaimedTask[] }));
      for (const kind of kinds) {
        const waiting = claimed.filter(
          (claim) => claim.kinds.includes(kind.name) && claim.tasks.length < claim.limit,
        );
        await reclaim(unit, kind);
        const room = waiting.reduce((sum, { limit, tasks }) => sum + limit - tasks.length, 0);
        for (const row of await take(unit, kind, room)) {
          const [first] = waiting;
          if (first === undefined) break;
          first.tasks.push(begin(unit, row, { kind, worker: first.worker }));
          if (first.tasks.length === first.limit) waiting.shift();
        }
      }
      unit.afterCommit(() => {
        for (const { tasks } of claimed) context.metrics.claimed += tasks.length;
      });
      return claimed.map(({ tasks }) => tasks);
    },
    locks,
  );
}

function isLimited(kind: Kind): boolean {
  return Math.min(kind.total, kind.perOwner, kind.perLane) < Infinity;
}

async function reclaim(unit: TaskUnit, kind: Kind): Promise<void> {
  const rows = await unit.select(
    (query) =>
      query
        .where('kind', '=', kind.name)
        .where('state', '=', 'running')
        .where('expires_at', '<=', unit.now)
        .orderBy('id', 'desc')
        .limit(reclaimRows),
    { skipLocked: true },
  );
  for (const row of rows) await expire(unit, row);
}

/** What runs now, by owner and by lane. */
class Occupancy {
  readonly #kind: Kind;
  readonly #owners = new Map<string, number>();
  readonly #lanes = new Map<string, number>();
  #total = 0;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  add(row: { readonly owner: string; readonly lane: string }, count = 1): void {
    this.#total += count;
    this.#owners.set(row.owner, (this.#owners.get(row.owner) ?? 0) + count);
    if (row.lane !== '') this.#lanes.set(row.lane, (this.#lanes.get(row.lane) ?? 0) + count);
  }

  get room(): number {
    return this.#kind.total - this.#total;
  }

  hasRoomFor(row: { readonly owner: string; readonly lane: string }): boolean {
    return (
      this.room > 0 &&
      (this.#owners.get(row.owner) ?? 0) < this.#kind.perOwner &&
      (this.#lanes.get(row.lane) ?? 0) < this.#kind.perLane
    );
  }

  get fullOwners(): readonly string[] {
    return full(this.#owners, this.#kind.perOwner);
  }

  get fullLanes(): readonly string[] {
    return full(this.#lanes, this.#kind.perLane);
  }
}

function full(counts: ReadonlyMap<string, number>, limit: number): readonly string[] {
  return [...counts].filter(([, count]) => count >= limit).map(([name]) => name);
}

async function take(unit: TaskUnit, kind: Kind, limit: number): Promise<readonly TaskRow[]> {
  const occupancy = new Occupancy(kind);
  if (isLimited(kind)) {
    const running = await unit.trx
      .selectFrom('tasks')
      .select((value) => ['owner', 'lane', value.fn.countAll<number>().as('count')])
      .where('kind', '=', kind.name)
      .where('state', '=', 'running')
      // A slot of a lost worker is free.
      .where('expires_at', '>', unit.now)
      .groupBy(['owner', 'lane'])
      .execute();
    for (const { count, ...row } of running) occupancy.add(row, count);
  }
  const taken: TaskRow[] = [];
  while (taken.length < limit) {
    const room = Math.min(limit - taken.length, occupancy.room);
    if (room <= 0) break;
    const rows = await unit.select(
      (query) => candidates(query, { unit, kind, occupancy, taken, room }),
      {
        skipLocked: true,
      },
    );
    const before = taken.length;
    for (const row of rows) {
      if (!occupancy.hasRoomFor(row)) continue;
      occupancy.add(row);
      taken.push(row);
    }
    // Fewer than asked for: there are no more. None taken: what is left belongs to full owners.
    if (rows.length < room || taken.length === before) break;
  }
  return taken;
}

type TaskQuery = Parameters<Parameters<TaskUnit['select']>[0]>[0];

function candidates(
  query: TaskQuery,
  look: {
    readonly unit: TaskUnit;
    readonly kind: Kind;
    readonly occupancy: Occupancy;
    readonly taken: readonly TaskRow[];
    readonly room: number;
  },
): TaskQuery {
  const { unit, kind, occupancy, taken, room } = look;
  let narrowed = query
    .where('kind', '=', kind.name)
    .where('state', '=', 'pending')
    .where('available_at', '<=', unit.now)
    .where('expires_at', '>', unit.now);
  const { fullOwners, fullLanes } = occupancy;
  if (fullOwners.length > 0) narrowed = narrowed.where('owner', 'not in', fullOwners);
  if (fullLanes.length > 0) narrowed = narrowed.where('lane', 'not in', fullLanes);
  if (taken.length > 0) {
    narrowed = narrowed.where(
      'id',
      'not in',
      taken.map(({ id }) => id),
    );
  }
  return narrowed
    .orderBy('turn')
    .orderBy(sql`id`)
    .limit(room);
}

function begin(
  unit: TaskUnit,
  row: TaskRow,
  { kind, worker }: { kind: Kind; worker: string },
): ClaimedTask {
  const { now } = unit;
  const deadlineAt = now + Math.min(kind.maxRuntimeMs, row.max_runtime_ms ?? Infinity);
  const expiresAt = Math.min(now + kind.leaseMs, deadlineAt);
  row.state = 'running';
  row.reason = null;
  row.error = null;
  row.attempt += 1;
  row.token += 1;
  row.worker_id = worker;
  row.started_at = now;
  row.first_started_at ??= now;
  row.ended_at = null;
  row.beat_at = now;
  row.deadline_at = deadlineAt;
  row.expires_at = expiresAt;
  row.progress = 0;
  row.steps = null;
  row.message = null;
  unit.touch(row, 'started');
  return {
    id: row.id,
    token: row.token,
    kind: row.kind,
    owner: row.owner,
    payload: JSON.parse(row.payload),
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    leaseMs: kind.leaseMs,
    heartbeatMs: kind.heartbeatMs,
    now,
    expiresAt,
    deadlineAt,
    createdAt: row.created_at,
    schedule: row.schedule,
    checkpoint: row.checkpoint === null ? null : (JSON.parse(row.checkpoint) as unknown),
    outputSeq: row.output_seq,
  };
}
