import type { StoreModule } from '@holdfast/store';
import { sql } from 'kysely';
import { findBrokenRules } from './integrity.ts';

/** States of tasks that something will still happen to. */
export const liveStates = ['queued', 'pending', 'running', 'awaiting'] as const;
/** States that are final. */
export const overStates = ['completed', 'partial', 'failed', 'cancelled'] as const;
/** What is stored. What a reader is told is computed from it, see `task-view.ts`. */
export type StoredState = (typeof liveStates | typeof overStates)[number];

/** A task. Times are Unix milliseconds. `task.spec.md` says what each state may hold. */
export interface TaskRow {
  id: string;
  kind: string;
  /** User it belongs to; empty for the system's own. */
  owner: string;
  state: StoredState;
  /** Why it is in this state, as a short code. */
  reason: string | null;
  unique_key: string | null;
  /** Held while live: at most one task per key, and one follow-up. Unique. */
  slot: string | null;
  /** Tasks of one lane share a limit. */
  lane: string;
  /** Unique. */
  idempotency_key: string | null;
  /** JSON. */
  payload: string;
  /** JSON. */
  result: string | null;
  error: string | null;
  /** Attempts begun. */
  attempt: number;
  max_attempts: number;
  /** Fencing token: grows whenever the right to write passes on or ends. */
  token: number;
  worker_id: string | null;
  /** Grows with every event. */
  version: number;
  created_at: number;
  /** Not to be started before. */
  available_at: number;
  /** Start of the current attempt. */
  started_at: number | null;
  first_started_at: number | null;
  ended_at: number | null;
  /** End of the lease (running) or of the patience for a worker (pending). */
  expires_at: number | null;
  /** The lease is never extended beyond. */
  deadline_at: number | null;
  beat_at: number | null;
  cancel_at: number | null;
  /** Order of claims within a kind, fair between owners. */
  turn: number;
  /** 0 to 10000. */
  progress: number;
  message: string | null;
  /** JSON. */
  steps: string | null;
  parents: number;
  children: number;
  children_open: number;
  children_failed: number;
  children_partial: number;
  /** How the task's own work ended while it waits for its children. */
  outcome: 'completed' | 'failed' | 'cancelled' | null;
  output_seq: number;
  output_bytes: number;
  output_refused: number;
  /** JSON: how earlier attempts ended. */
  history: string;
  schedule: string | null;
  /** JSON: what an attempt left for the next one. */
  checkpoint: string | null;
  /** Longest attempt that the request allows. */
  max_runtime_ms: number | null;
  /** Queue of others whose job this is; null for tasks of our own. */
  source: string | null;
}

/** Parents and children. A child can have several parents. */
export interface TaskLinkTable {
  parent_id: string;
  child_id: string;
}

export interface TaskOutputTable {
  task_id: string;
  seq: number;
  attempt: number;
  type: string;
  data: string;
  at: number;
}

export interface TaskWorkerTable {
  worker_id: string;
  kind: string;
  name: string;
  concurrency: number;
  seen_at: number;
  expires_at: number;
}

/** Measured durations; the step is empty for the whole task. */
export interface TaskDurationTable {
  kind: string;
  step: string;
  samples: number;
  mean_ms: number;
}

export interface ScheduleTable {
  name: string;
  /** JSON: what the program says. */
  defined: string;
  /** JSON: what was changed by people; wins. */
  edited: string;
  /** 0, 1, or null for what the program says. */
  paused: number | null;
  next_at: number | null;
  /** Time of the last tick that was handled. */
  last_at: number | null;
  updated_at: number;
}

export interface ScheduleRunTable {
  id: string;
  schedule: string;
  scheduled_for: number;
  at: number;
  trigger: 'tick' | 'manual';
  outcome: 'requested' | 'skipped' | 'missed' | 'refused';
  reason: string | null;
  task_id: string | null;
}

/** What a repair changed. */
export interface TaskAuditTable {
  id: string;
  at: number;
  actor: string;
  subject: string;
  problem: string;
  action: string;
  /** JSON. */
  before: string;
}

/** How far a queue of others has been read. */
export interface TaskSourceTable {
  source: string;
  position: string;
  updated_at: number;
}

/** The tables of {@link taskModule}, for `openStore<TaskTables>`. */
export interface TaskTables {
  tasks: TaskRow;
  task_links: TaskLinkTable;
  task_output: TaskOutputTable;
  task_workers: TaskWorkerTable;
  task_durations: TaskDurationTable;
  task_schedules: ScheduleTable;
  task_schedule_runs: ScheduleRunTable;
  task_audit: TaskAuditTable;
  task_sources: TaskSourceTable;
}

const required = ['kind', 'owner', 'state', 'lane', 'payload', 'history'] as const;
const optionalText = [
  'reason',
  'unique_key',
  'slot',
  'idempotency_key',
  'result',
  'error',
  'worker_id',
  'message',
  'steps',
  'outcome',
  'schedule',
] as const;
const counters = [
  'attempt',
  'max_attempts',
  'token',
  'version',
  'created_at',
  'available_at',
  'turn',
  'progress',
  'parents',
  'children',
  'children_open',
  'children_failed',
  'children_partial',
  'output_seq',
  'output_bytes',
  'output_refused',
] as const;
const optionalTimes = [
  'started_at',
  'first_started_at',
  'ended_at',
  'expires_at',
  'deadline_at',
  'beat_at',
  'cancel_at',
] as const;

/** More claims than one task can have had between a copy of the store and its restore. */
const tokensAhead = 1_000_000;

/** The tables of tasks. Give it to `openStore`. */
export const taskModule: StoreModule = {
  name: 'tasks',
  migrations: [
    {
      name: 'tasks',
      async up({ db, createTable, types }) {
        let tasks = createTable('tasks').addColumn('id', types.text, (column) =>
          column.primaryKey(),
        );
        for (const name of required) {
          tasks = tasks.addColumn(name, types.text, (column) => column.notNull());
        }
        for (const name of optionalText) tasks = tasks.addColumn(name, types.text);
        for (const name of counters) {
          tasks = tasks.addColumn(name, types.integer, (column) => column.notNull());
        }
        for (const name of optionalTimes) tasks = tasks.addColumn(name, types.integer);
        await tasks.execute();
        const index = (name: string, columns: readonly string[]) =>
          db.schema
            .createIndex(name)
            .on('tasks')
            .columns([...columns]);
        await index('tasks_slot', ['slot']).unique().execute();
        await index('tasks_idempotency', ['idempotency_key']).unique().execute();
        await index('tasks_claim', ['kind', 'state', 'turn', 'id']).execute();
        await index('tasks_fair', ['kind', 'owner', 'state', 'turn']).execute();
        await index('tasks_due', ['state', 'expires_at']).execute();
        await index('tasks_owner', ['owner', 'id']).execute();
        await index('tasks_ended', ['ended_at']).execute();
        await index('tasks_schedule', ['schedule', 'id']).execute();

        await createTable('task_links')
          .addColumn('parent_id', types.text, (column) => column.notNull())
          .addColumn('child_id', types.text, (column) => column.notNull())
          .addPrimaryKeyConstraint('task_links_pk', ['parent_id', 'child_id'])
          .execute();
        await db.schema
          .createIndex('task_links_child')
          .on('task_links')
          .column('child_id')
          .execute();
        await createTable('task_output')
          .addColumn('task_id', types.text, (column) => column.notNull())
          .addColumn('seq', types.integer, (column) => column.notNull())
          .addColumn('attempt', types.integer, (column) => column.notNull())
          .addColumn('type', types.text, (column) => column.notNull())
          .addColumn('data', types.text, (column) => column.notNull())
          .addColumn('at', types.integer, (column) => column.notNull())
          .addPrimaryKeyConstraint('task_output_pk', ['task_id', 'seq'])
          .execute();
        await createTable('task_workers')
          .addColumn('worker_id', types.text, (column) => column.notNull())
          .addColumn('kind', types.text, (column) => column.notNull())
          .addColumn('name', types.text, (column) => column.notNull())
          .addColumn('concurrency', types.integer, (column) => column.notNull())
          .addColumn('seen_at', types.integer, (column) => column.notNull())
          .addColumn('expires_at', types.integer, (column) => column.notNull())
          .addPrimaryKeyConstraint('task_workers_pk', ['kind', 'worker_id'])
          .execute();
        await createTable('task_durations')
          .addColumn('kind', types.text, (column) => column.notNull())
          .addColumn('step', types.text, (column) => column.notNull())
          .addColumn('samples', types.integer, (column) => column.notNull())
          .addColumn('mean_ms', types.integer, (column) => column.notNull())
          .addPrimaryKeyConstraint('task_durations_pk', ['kind', 'step'])
          .execute();
      },
    },
    {
      name: 'schedules and audit',
      async up({ db, createTable, types }) {
        await createTable('task_schedules')
          .addColumn('name', types.text, (column) => column.primaryKey())
          .addColumn('defined', types.text, (column) => column.notNull())
          .addColumn('edited', types.text, (column) => column.notNull())
          .addColumn('paused', types.integer)
          .addColumn('next_at', types.integer)
          .addColumn('last_at', types.integer)
          .addColumn('updated_at', types.integer, (column) => column.notNull())
          .execute();
        await createTable('task_schedule_runs')
          .addColumn('id', types.text, (column) => column.primaryKey())
          .addColumn('schedule', types.text, (column) => column.notNull())
          .addColumn('scheduled_for', types.integer, (column) => column.notNull())
          .addColumn('at', types.integer, (column) => column.notNull())
          .addColumn('trigger', types.text, (column) => column.notNull())
          .addColumn('outcome', types.text, (column) => column.notNull())
          .addColumn('reason', types.text)
          .addColumn('task_id', types.text)
          .execute();
        await db.schema
          .createIndex('task_schedule_runs_schedule')
          .on('task_schedule_runs')
          .columns(['schedule', 'id'])
          .execute();
        await createTable('task_audit')
          .addColumn('id', types.text, (column) => column.primaryKey())
          .addColumn('at', types.integer, (column) => column.notNull())
          .addColumn('actor', types.text, (column) => column.notNull())
          .addColumn('subject', types.text, (column) => column.notNull())
          .addColumn('problem', types.text, (column) => column.notNull())
          .addColumn('action', types.text, (column) => column.notNull())
          .addColumn('before', types.text, (column) => column.notNull())
          .execute();
      },
    },
    {
      name: 'checkpoints and sources',
      async up({ db, createTable, types }) {
        // One column at a time: SQLite knows no more.
        await db.schema.alterTable('tasks').addColumn('checkpoint', types.text).execute();
        await db.schema.alterTable('tasks').addColumn('max_runtime_ms', types.integer).execute();
        await db.schema.alterTable('tasks').addColumn('source', types.text).execute();
        await createTable('task_sources')
          .addColumn('source', types.text, (column) => column.primaryKey())
          .addColumn('position', types.text, (column) => column.notNull())
          .addColumn('updated_at', types.integer, (column) => column.notNull())
          .execute();
      },
    },
  ],
  /** Whoever got its claims after that state could otherwise write with a token that is given out again. */
  async beginAnew(db) {
    await sql`update tasks set token = token + ${tokensAhead}
      where state not in ('completed', 'partial', 'failed', 'cancelled')`.execute(db);
  },
  checks: [{ name: 'tasks', find: findBrokenRules }],
};
