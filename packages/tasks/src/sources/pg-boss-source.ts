/**
 * pg-boss as a source of tasks. Needs nothing but a `Pool` of `pg` on its database.
 *
 * @module
 */
import type { ForeignPostgres } from '../foreign-doctor.ts';
import { TaskError } from '../errors.ts';
import type { ProgressUpdate } from '../progress.ts';
import type { JobChanges, JobSighting, JobSource } from './job-source.ts';
import { kindOfQueue } from './source-defaults.ts';

/** A row of pg-boss's table of jobs. Timestamps are ISO text. */
export type PgBossJob = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  readonly state: 'created' | 'retry' | 'active' | 'completed' | 'cancelled' | 'failed';
  readonly output: unknown;
};

/** Which queue of pg-boss is followed, and how its jobs are shown. */
export interface PgBossSourceOptions {
  /** Name of the queue. */
  readonly queue: string;
  /** Used by one query at a time; give the same pool to every source. It stays yours to close. */
  readonly database: ForeignPostgres;
  /** As given to pg-boss. @defaultValue 'pgboss' */
  readonly schema?: string;
  /** @defaultValue `pg-boss:<queue>` */
  readonly kind?: string;
  /** User that a job belongs to. @defaultValue nobody: only the server sees it */
  readonly owner?: (job: PgBossJob) => string;
  /** @defaultValue the data of the job, when it is not longer than 16 KiB as JSON */
  readonly payload?: (job: PgBossJob) => unknown;
  /** pg-boss knows no progress; this finds what the application wrote. @defaultValue none */
  readonly progress?: (job: PgBossJob) => ProgressUpdate | null;
  /** @defaultValue 1000 */
  readonly pollMs?: number;
  /** @defaultValue 5000 */
  readonly reconcileMs?: number;
  /** @defaultValue 30000 */
  readonly leaseMs?: number;
}

const changesAtOnce = 500;
/** A transaction of so long may write a time that is older than what was read before it. */
const overlapMs = 5000;
/** A due job that nobody takes for so long has no worker. */
const patienceMs = 30_000;
const unixMs = '(extract(epoch from clock_timestamp()) * 1000)::float8';
const identifier = /^[A-Za-z_]\w{0,49}$/;

/** The jobs of a pg-boss queue, read from its table. @throws {@link TaskError} `task_bad_request` */
export function pgBossSource(options: PgBossSourceOptions): JobSource {
  return new PgBossSource(options);
}

class PgBossSource implements JobSource {
  readonly name: string;
  readonly kind: string;
  readonly pollMs: number;
  readonly reconcileMs: number;
  readonly leaseMs: number;
  readonly #options: PgBossSourceOptions;
  readonly #table: string;

  constructor(options: PgBossSourceOptions) {
    const schema = options.schema ?? 'pgboss';
    if (!identifier.test(schema)) {
      throw new TaskError('task_bad_request', `${JSON.stringify(schema)} is not a schema's name`);
    }
    this.#options = options;
    this.#table = `"${schema}".job`;
    this.name =
      schema === 'pgboss' ? `pg-boss:${options.queue}` : `pg-boss:${schema}:${options.queue}`;
    this.kind = options.kind ?? kindOfQueue(this.name);
    this.pollMs = options.pollMs ?? 1000;
    this.reconcileMs = options.reconcileMs ?? 5000;
    this.leaseMs = options.leaseMs ?? 30_000;
  }

  /** The cursor is the database's time of the last reading, or the last row of a page. */
  async changes(cursor: string | undefined): Promise<JobChanges> {
    const [clock] = await this.#query(`select clock_timestamp()::text as now, ${unixMs} as ms`, []);
    const now = String(clock?.['now']);
    const nowMs = Number(clock?.['ms']);
    if (cursor === undefined) return { sightings: [], cursor: now, hasMore: false };
    const [time = '', id] = cursor.split('/');
    const changed = 'greatest(created_on, started_on, completed_on)';
    const after =
      id === undefined
        ? `${changed} >= $2::timestamptz - make_interval(secs => ${overlapMs / 1000})`
        : `(${changed}, id) > ($2::timestamptz, $4::uuid)`;
    const rows = await this.#query(
      `select to_jsonb(j.*) as job, ${changed}::text as changed from ${this.#table} j
       where name = $1 and ${after} order by ${changed}, id limit $3`,
      [this.#options.queue, time, changesAtOnce, ...(id === undefined ? [] : [id])],
    );
    const jobs = rows.map((row) => row['job'] as PgBossJob);
    const hasMore = rows.length === changesAtOnce;
    const page = `${String(rows.at(-1)?.['changed'])}/${jobs.at(-1)?.id}`;
    const isIdle = rows.length === 0 && id === undefined;
    return {
      sightings: jobs.map((job) => this.#sighting(job, nowMs)),
      cursor: hasMore ? page : isIdle ? cursor : now,
      hasMore,
    };
  }

  async live(limit: number): Promise<readonly string[]> {
    const rows = await this.#query(
      `select id::text as id from ${this.#table} where name = $1 and state < 'completed' limit $2`,
      [this.#options.queue, limit],
    );
    return rows.map((row) => String(row['id']));
  }

  async look(ids: readonly string[]): Promise<readonly JobSighting[]> {
    const rows = await this.#query(
      `select to_jsonb(j.*) as job, ${unixMs} as now from ${this.#table} j
       where name = $1 and id = any($2::uuid[])`,
      [this.#options.queue, ids],
    );
    const found = new Map<string, JobSighting>();
    for (const row of rows) {
      const job = row['job'] as PgBossJob;
      found.set(job.id, this.#sighting(job, Number(row['now'])));
    }
    return ids.map((id) => found.get(id) ?? gone(id));
  }

  /** pg-boss keeps no list of workers: one counts as alive unless due jobs lie there untouched. */
  async workers(): Promise<readonly { readonly id: string; readonly name: string }[]> {
    const [row] = await this.#query(
      `select exists (
         select from ${this.#table} where name = $1 and state < 'active'
           and start_after < now() - make_interval(secs => $2)
       ) and not exists (
         select from ${this.#table} where name = $1 and state = 'active'
       ) and not exists (
         select from ${this.#table} where name = $1 and state >= 'active'
           and started_on > now() - make_interval(secs => $2)
       ) as starved`,
      [this.#options.queue, patienceMs / 1000],
    );
    return row?.['starved'] === true ? [] : [{ id: 'any', name: 'pg-boss' }];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #sighting(job: PgBossJob, now: number): JobSighting {
    const { owner, payload, progress } = this.#options;
    const startedAt = numberOf(job['started_on']);
    return {
      id: job.id,
      state: stateOf(job.state),
      isAlive: job.state === 'active' && isHeld(job, now),
      attempt: startedAt === null ? 0 : Number(job['retry_count'] ?? 0) + 1,
      maxAttempts: Number(job['retry_limit'] ?? 0) + 1,
      owner: owner?.(job) ?? '',
      payload: payload === undefined ? job.data : payload(job),
      result: job.state === 'completed' ? job.output : null,
      error: job.state === 'completed' ? null : errorOf(job.output),
      worker: 'pg-boss',
      progress: progress?.(job) ?? null,
      createdAt: numberOf(job['created_on']) ?? now,
      availableAt: numberOf(job['start_after']) ?? now,
      startedAt,
    };
  }

  async #query(
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Record<string, unknown>[]> {
    const { rows } = await this.#options.database.query(text, values);
    return rows;
  }
}

/** Until when pg-boss itself lets a worker have a job. */
function isHeld(job: PgBossJob, now: number): boolean {
  const beatSeconds = Number(job['heartbeat_seconds'] ?? Infinity);
  const beatAt = numberOf(job['heartbeat_on']) ?? numberOf(job['started_on']) ?? now;
  const startedAt = numberOf(job['started_on']) ?? now;
  const expireSeconds = Number(job['expire_seconds'] ?? Infinity);
  return beatAt + beatSeconds * 1000 > now && startedAt + expireSeconds * 1000 > now;
}

function stateOf(state: PgBossJob['state']): JobSighting['state'] {
  return state === 'created' || state === 'retry' ? 'waiting' : state;
}

function gone(id: string): JobSighting {
  return {
    id,
    state: 'gone',
    isAlive: false,
    attempt: 0,
    maxAttempts: 1,
    owner: '',
    payload: null,
    result: null,
    error: null,
    worker: 'pg-boss',
    progress: null,
    createdAt: null,
    availableAt: 0,
    startedAt: null,
  };
}

function errorOf(output: unknown): string | null {
  if (output === null || output === undefined) return null;
  if (typeof output === 'object' && 'message' in output && typeof output.message === 'string') {
    return output.message;
  }
  return JSON.stringify(output);
}

function numberOf(stamp: unknown): number | null {
  return typeof stamp === 'string' ? Date.parse(stamp) : null;
}
