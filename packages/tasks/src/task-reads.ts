import type { OutputChunk, TaskDetails, TaskView } from '@holdfast/protocol/tasks';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';
import { liveStates, overStates, type TaskRow, type TaskTables } from './task-module.ts';
import { isOver, viewOf, type AttemptRecord, type ViewFacts } from './task-view.ts';
import { countWorkers } from './worker-registry.ts';
import type { StoreTransaction } from '@holdfast/store';

/** Everything about one task. */
export interface TaskSnapshot extends TaskView, TaskDetails {
  /** What the next attempt would go on from. */
  readonly checkpoint: unknown;
  readonly history: readonly AttemptRecord[];
}

/** Which tasks are listed, page by page. */
export interface TaskFilter {
  readonly owner?: string;
  readonly kind?: string;
  readonly schedule?: string;
  readonly parent?: string;
  /** Live or over. @defaultValue both */
  readonly phase?: 'live' | 'over';
  /** Ids below this one: the last id of the page before. */
  readonly before?: string;
  /** 1 to 200. @defaultValue 50 */
  readonly limit?: number;
}

/** Tasks, and where the list goes on. */
export interface TaskPage {
  /** Newest first. */
  readonly items: readonly TaskView[];
  /** `before` of the next page; null when there is none. */
  readonly nextCursor: string | null;
  /** The server's time. */
  readonly now: number;
}

/** A part of a task's output. */
export interface OutputPage {
  readonly chunks: readonly OutputChunk[];
  /** Number of the last chunk there is. */
  readonly seq: number;
  /** Chunks that were refused because the stream is full. */
  readonly refused: number;
  /** Whether no more can come. */
  readonly isOver: boolean;
}

const maxPage = 200;
const maxIds = 1000;

async function factsFor(
  context: TaskContext,
  db: StoreTransaction<TaskTables>,
): Promise<ViewFacts> {
  const now = context.now();
  const workers = await countWorkers(db, now);
  return {
    now,
    workers: (kind) => workers.get(kind) ?? { live: 0, lastSeenAt: null },
    durations: context.durations,
  };
}

/** @throws {@link TaskError} `task_not_found` */
export function readTask(context: TaskContext, id: string): Promise<TaskSnapshot> {
  return context.store.read(async (db) => {
    const row = await db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new TaskError('task_not_found', `there is no task ${id}`);
    const facts = await factsFor(context, db);
    const parents = await db
      .selectFrom('task_links')
      .select('parent_id')
      .where('child_id', '=', id)
      .limit(maxIds)
      .execute();
    const children = await db
      .selectFrom('task_links')
      .select('child_id')
      .where('parent_id', '=', id)
      .orderBy('child_id')
      .limit(maxIds)
      .execute();
    return {
      ...viewOf(row, facts),
      payload: JSON.parse(row.payload) as unknown,
      result: row.result === null ? null : (JSON.parse(row.result) as unknown),
      checkpoint: row.checkpoint === null ? null : (JSON.parse(row.checkpoint) as unknown),
      history: JSON.parse(row.history) as AttemptRecord[],
      parentIds: parents.map((link) => link.parent_id),
      childIds: children.map((link) => link.child_id),
    };
  });
}

/** Newest first. */
export function listTasks(context: TaskContext, filter: TaskFilter): Promise<TaskPage> {
  return context.store.read(async (db) => {
    let query = db.selectFrom('tasks').selectAll();
    if (filter.owner !== undefined) query = query.where('owner', '=', filter.owner);
    if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
    if (filter.schedule !== undefined) query = query.where('schedule', '=', filter.schedule);
    if (filter.before !== undefined) query = query.where('id', '<', filter.before);
    if (filter.phase !== undefined) {
      query = query.where('state', 'in', filter.phase === 'live' ? liveStates : overStates);
    }
    const { parent } = filter;
    if (parent !== undefined) {
      query = query.where('id', 'in', (sub) =>
        sub.selectFrom('task_links').select('child_id').where('parent_id', '=', parent),
      );
    }
    const limit = Math.min(Math.max(Math.trunc(filter.limit ?? 50), 1), maxPage);
    // One more tells whether there is more.
    const rows: TaskRow[] = await query
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    const facts = await factsFor(context, db);
    const items = rows.slice(0, limit).map((row) => viewOf(row, facts));
    const nextCursor = rows.length > limit ? (items.at(-1)?.id ?? null) : null;
    return { items, nextCursor, now: facts.now };
  });
}

/** The output after a number, from its beginning by default. @throws {@link TaskError} `task_not_found` */
export function readOutput(
  context: TaskContext,
  id: string,
  options: { readonly after?: number; readonly limit?: number } = {},
): Promise<OutputPage> {
  return context.store.read(async (db) => {
    const row = await db
      .selectFrom('tasks')
      .select(['output_seq', 'output_refused', 'state'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw new TaskError('task_not_found', `there is no task ${id}`);
    const chunks = await db
      .selectFrom('task_output')
      .select(['seq', 'attempt', 'type', 'data', 'at'])
      .where('task_id', '=', id)
      .where('seq', '>', options.after ?? 0)
      .orderBy('seq')
      .limit(Math.min(Math.max(options.limit ?? maxPage, 1), maxIds))
      .execute();
    return {
      chunks,
      seq: row.output_seq,
      refused: row.output_refused,
      isOver: isOver(row),
    };
  });
}

/** A kind, as people who run it want to see it. */
export interface KindView {
  readonly kind: string;
  readonly isOpenToUsers: boolean;
  /** Workers that are alive. */
  readonly workers: number;
  /** Unix milliseconds since when no worker is alive; null while one is, or when there never was one. */
  readonly noWorkerSince: number | null;
  /** Tasks that wait for a worker, or for their time. */
  readonly pending: number;
  /** Unix milliseconds: since when the first of them could have been taken. Null for none. */
  readonly pendingSince: number | null;
  readonly running: number;
}

export function viewKinds(
  context: TaskContext,
  kinds: readonly string[],
): Promise<readonly KindView[]> {
  return context.store.read(async (db) => {
    const rows = await db
      .selectFrom('tasks')
      .select((value) => [
        'kind',
        'state',
        value.fn.countAll<number>().as('tasks'),
        value.fn.min('available_at').as('since'),
      ])
      .where('state', 'in', ['pending', 'running'])
      .groupBy(['kind', 'state'])
      .execute();
    const workers = await countWorkers(db, context.now());
    return kinds.map((kind) => {
      const pending = rows.find((row) => row.kind === kind && row.state === 'pending');
      const running = rows.find((row) => row.kind === kind && row.state === 'running');
      const { live, lastSeenAt } = workers.get(kind) ?? { live: 0, lastSeenAt: null };
      return {
        kind,
        isOpenToUsers: context.kind(kind).isOpenToUsers,
        workers: live,
        noWorkerSince: live > 0 ? null : lastSeenAt,
        pending: pending?.tasks ?? 0,
        pendingSince: pending?.since ?? null,
        running: running?.tasks ?? 0,
      };
    });
  });
}

/** Those of `kinds` of which a task is due. */
export function findDueKinds(
  context: TaskContext,
  kinds: readonly string[],
): Promise<readonly string[]> {
  if (kinds.length === 0) return Promise.resolve([]);
  return context.store.read(async (db) => {
    const now = context.now();
    const rows = await db
      .selectFrom('tasks')
      .select('kind')
      .distinct()
      .where('kind', 'in', kinds)
      .where('state', '=', 'pending')
      .where('available_at', '<=', now)
      .where('expires_at', '>', now)
      .execute();
    return rows.map((row) => row.kind);
  });
}

/** A kind that has waiting tasks and nobody to do them. */
export interface StarvedKind {
  readonly kind: string;
  readonly waiting: number;
  /** Unix milliseconds of the task that waits longest. */
  readonly since: number;
  readonly lastSeenAt: number | null;
}

/** Kinds whose due tasks nobody alive can take. */
export function findStarvedKinds(context: TaskContext): Promise<readonly StarvedKind[]> {
  return context.store.read(async (db) => {
    const now = context.now();
    const rows = await db
      .selectFrom('tasks')
      .select((value) => [
        'kind',
        value.fn.countAll<number>().as('waiting'),
        value.fn.min('available_at').as('since'),
      ])
      .where('state', '=', 'pending')
      .where('available_at', '<=', now)
      .groupBy('kind')
      .execute();
    const workers = await countWorkers(db, now);
    return rows
      .filter(({ kind }) => (workers.get(kind)?.live ?? 0) === 0)
      .map(({ kind, waiting, since }) => ({
        kind,
        waiting,
        since,
        lastSeenAt: workers.get(kind)?.lastSeenAt ?? null,
      }));
  });
}
