/**
 * BullMQ as a source of tasks. Needs `bullmq`, and the Redis client that it is used with.
 *
 * @module
 */
import { Queue, type ConnectionOptions, type Job, type JobType } from 'bullmq';
import type { ProgressUpdate } from '../progress.ts';
import type { JobChanges, JobSighting, JobSource } from './job-source.ts';
import { kindOfQueue, progressOf } from './source-defaults.ts';

/** Which queue of BullMQ is followed, and how its jobs are shown. */
export interface BullMqSourceOptions {
  /** Name of the queue. */
  readonly queue: string;
  /**
   * Give the instance of a Redis client, the same for every queue: then all of them share its one
   * connection. It stays yours to close.
   */
  readonly connection: ConnectionOptions;
  /** As given to BullMQ. @defaultValue 'bull' */
  readonly prefix?: string;
  /** @defaultValue `bullmq:<queue>` */
  readonly kind?: string;
  /** User that a job belongs to. @defaultValue nobody: only the server sees it */
  readonly owner?: (job: Job) => string;
  /** @defaultValue the name and data of the job, when they are not longer than 16 KiB as JSON */
  readonly payload?: (job: Job) => unknown;
  /**
   * @defaultValue a number is a percentage; of an object `progress`, `percent` or `percentage`, and
   * `message`
   */
  readonly progress?: (job: Job) => ProgressUpdate | null;
  /** @defaultValue 250 */
  readonly pollMs?: number;
  /** @defaultValue 5000 */
  readonly reconcileMs?: number;
  /** @defaultValue 30000 */
  readonly leaseMs?: number;
}

/** The part of BullMQ's Redis client that is needed beside its queue. */
interface StreamClient {
  readonly status: string;
  get(key: string): Promise<string | null>;
  xread(
    streams: readonly { readonly key: string; readonly id: string }[],
    options: { readonly COUNT: number },
  ): Promise<readonly (readonly [string, readonly StreamEntry[]])[] | null>;
}

type StreamEntry = readonly [id: string, fields: readonly string[]];

/** How a job ended, as its event told. */
interface Ending {
  readonly state: 'completed' | 'failed';
  readonly result: unknown;
  readonly error: string | null;
}

const eventsAtOnce = 500;
const liveTypes: JobType[] = ['active', 'waiting', 'prioritized', 'delayed', 'waiting-children'];
/** A job that is added again and again in one place needs no more. */
const rememberedJobs = 1000;

/**
 * The jobs of a BullMQ queue. Its stream of events is read without blocking on the connection that is
 * given, so the number of connections does not depend on queues, jobs or watchers.
 */
export function bullMqSource(options: BullMqSourceOptions): JobSource {
  return new BullMqSource(options);
}

class BullMqSource implements JobSource {
  readonly name: string;
  readonly kind: string;
  readonly pollMs: number;
  readonly reconcileMs: number;
  readonly leaseMs: number;
  readonly #options: BullMqSourceOptions;
  readonly #queue: Queue;
  /** Jobs that were there lately: what is known of one that is removed as soon as it ends. */
  readonly #seen = new Map<string, JobSighting>();

  constructor(options: BullMqSourceOptions) {
    const prefix = options.prefix ?? 'bull';
    this.#options = options;
    this.name = prefix === 'bull' ? `bullmq:${options.queue}` : `bullmq:${prefix}:${options.queue}`;
    this.kind = options.kind ?? kindOfQueue(this.name);
    this.pollMs = options.pollMs ?? 250;
    this.reconcileMs = options.reconcileMs ?? 5000;
    this.leaseMs = options.leaseMs ?? 30_000;
    this.#queue = new Queue(options.queue, {
      connection: options.connection,
      prefix,
      skipMetasUpdate: true,
    });
    // Told by every read that fails; without a listener Node would end the process.
    this.#queue.on('error', () => {});
  }

  async changes(cursor: string | undefined): Promise<JobChanges> {
    if (cursor === undefined) return { sightings: [], cursor: await this.#end(), hasMore: false };
    const entries = await this.#entries(cursor);
    const endings = new Map<string, Ending | undefined>();
    for (const [, fields] of entries) {
      const event = fieldsOf(fields);
      const id = event.get('jobId');
      if (id !== undefined) endings.set(id, endingOf(event) ?? endings.get(id));
    }
    const sightings = await this.#look([...endings.keys()], endings);
    return {
      sightings,
      cursor: entries.at(-1)?.[0] ?? cursor,
      hasMore: entries.length === eventsAtOnce,
    };
  }

  async live(limit: number): Promise<readonly string[]> {
    await this.#client();
    const ids = await this.#queue.getRanges(liveTypes, 0, limit - 1);
    // Markers of BullMQ's own stand among the ids of jobs.
    return ids.filter((id) => !id.startsWith('0:')).slice(0, limit);
  }

  look(ids: readonly string[]): Promise<readonly JobSighting[]> {
    return this.#look(ids, new Map());
  }

  async workers(): Promise<readonly { readonly id: string; readonly name: string }[]> {
    await this.#client();
    const workers = await this.#queue.getWorkers();
    return workers.map((one) => ({
      id: one['id'] ?? one['addr'] ?? '',
      name: `BullMQ ${one['addr'] ?? ''}`.trim(),
    }));
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #look(
    ids: readonly string[],
    endings: ReadonlyMap<string, Ending | undefined>,
  ): Promise<readonly JobSighting[]> {
    const client = await this.#client();
    const sightings: JobSighting[] = [];
    for (let start = 0; start < ids.length; start += 50) {
      const some = ids.slice(start, start + 50).map((id) => this.#lookAt(client, id));
      for (const seen of await Promise.all(some)) {
        const ending = endings.get(seen.id);
        sightings.push(
          seen.state === 'gone' && ending !== undefined ? { ...seen, ...ending } : seen,
        );
      }
    }
    return sightings;
  }

  async #lookAt(client: StreamClient, id: string): Promise<JobSighting> {
    // The state first: what is read after it can only be newer, and the next look finds that.
    const state = await this.#queue.getJobState(id);
    const job = state === 'unknown' ? undefined : await this.#queue.getJob(id);
    if (job === undefined) return this.#gone(id);
    const isActive = state === 'active';
    const lock = isActive ? await client.get(this.#queue.toKey(`${id}:lock`)) : null;
    const now = Date.now();
    const { owner, payload, progress } = this.#options;
    // Of a job that has ended since its state was read, `attemptsMade` counts the attempt already.
    const attemptsMade =
      isActive && job.finishedOn === undefined ? job.attemptsMade + 1 : job.attemptsMade;
    const sighting: JobSighting = {
      id,
      state: stateOf(state),
      isAlive: lock !== null,
      attempt: job.attemptsStarted > 0 ? job.attemptsStarted : attemptsMade,
      maxAttempts: Math.max(job.opts.attempts ?? 1, 1),
      owner: owner?.(job) ?? '',
      payload: payload === undefined ? { name: job.name, data: job.data as unknown } : payload(job),
      result: state === 'completed' ? (job.returnvalue as unknown) : null,
      error: state === 'completed' ? null : (job.failedReason ?? null),
      worker: job.processedBy ?? 'BullMQ',
      progress: progress === undefined ? progressOf(job.progress) : progress(job),
      createdAt: job.timestamp,
      availableAt: state === 'delayed' ? job.timestamp + job.delay : Math.min(job.timestamp, now),
      startedAt: job.processedOn ?? null,
    };
    this.#remember(sighting);
    return sighting;
  }

  #gone(id: string): JobSighting {
    const known = this.#seen.get(id);
    this.#seen.delete(id);
    const now = Date.now();
    return {
      isAlive: false,
      attempt: 1,
      maxAttempts: 1,
      owner: '',
      payload: null,
      worker: 'BullMQ',
      progress: null,
      createdAt: null,
      availableAt: now,
      startedAt: null,
      ...known,
      id,
      state: 'gone',
      result: null,
      error: null,
    };
  }

  #remember(sighting: JobSighting): void {
    this.#seen.delete(sighting.id);
    if (sighting.state !== 'waiting' && sighting.state !== 'active') return;
    this.#seen.set(sighting.id, sighting);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > rememberedJobs && oldest !== undefined) this.#seen.delete(oldest);
  }

  /** The id of the last event there is. */
  async #end(): Promise<string> {
    let cursor = '0-0';
    for (;;) {
      const entries = await this.#entries(cursor);
      cursor = entries.at(-1)?.[0] ?? cursor;
      if (entries.length < eventsAtOnce) return cursor;
    }
  }

  async #entries(cursor: string): Promise<readonly StreamEntry[]> {
    const client = await this.#client();
    const key = this.#queue.toKey('events');
    const streams = await client.xread([{ key, id: cursor }], { COUNT: eventsAtOnce });
    return streams?.[0]?.[1] ?? [];
  }

  /** @throws Error when Redis is away: a command would wait for it, and the next, and the next. */
  async #client(): Promise<StreamClient> {
    const client: StreamClient = await this.#queue.getBackend().client;
    if (client.status !== 'ready') throw new Error(`Redis is ${client.status}, not ready`);
    return client;
  }
}

function stateOf(state: string): JobSighting['state'] {
  return state === 'active' || state === 'completed' || state === 'failed' ? state : 'waiting';
}

function fieldsOf(fields: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index + 1 < fields.length; index += 2) {
    found.set(fields[index] ?? '', fields[index + 1] ?? '');
  }
  return found;
}

function endingOf(event: ReadonlyMap<string, string>): Ending | undefined {
  const kind = event.get('event');
  if (kind === 'completed') {
    return { state: 'completed', result: parse(event.get('returnvalue')), error: null };
  }
  if (kind !== 'failed') return undefined;
  return { state: 'failed', result: null, error: event.get('failedReason') ?? null };
}

function parse(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? 'null') as unknown;
  } catch {
    return json;
  }
}
