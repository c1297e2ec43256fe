import {
  systemClock,
  type Clock,
  type IdSource,
  type Store,
  type StoreTransaction,
} from '@holdfast/store';
import { cancelTree } from './cancel.ts';
import { claimTasks, type ClaimedTask, type ClaimOptions, type Lease } from './claim.ts';
import { examineTasks, listAudit, type DoctorOptions, type Finding } from './doctor.ts';
import { Doorbell } from './doorbell.ts';
import { TaskError } from './errors.ts';
import { resolveKind, type Kind, type KindOptions } from './kind.ts';
import {
  appendOutput,
  complete,
  fail,
  heartbeat,
  reportProgress,
  saveCheckpoint,
  stop,
  type Failure,
  type LeaseState,
  type OutputPart,
  type OutputState,
} from './lease-writes.ts';
import { LocalWorker, type HandleOptions } from './local-worker.ts';
import { Maintenance } from './maintenance.ts';
import type { ProgressUpdate } from './progress.ts';
import {
  locksOf,
  makeRequests,
  prepareRequest,
  requestAsUser,
  requestTasks,
  type PreparedRequest,
  type TaskAnswer,
  type TaskRequest,
  type UserTaskRequest,
} from './request.ts';
import { deleteTaskRows, retentionJobs, type TaskRetentionOptions } from './retention.ts';
import { Schedules, type ScheduleRun } from './schedules/schedules.ts';
import { openSharedTime } from './shared-time.ts';
import { JobFollower } from './sources/job-follower.ts';
import type { JobSource } from './sources/job-source.ts';
import { sweepTasks } from './sweep.ts';
import { ownerOnlyChannels, type TaskChannels } from './task-channels.ts';
import type { TaskContext, TaskLogger } from './task-context.ts';
import { TaskMetrics } from './task-metrics.ts';
import type { TaskAuditTable, TaskTables } from './task-module.ts';
import {
  findDueKinds,
  findStarvedKinds,
  listTasks,
  readOutput,
  readTask,
  viewKinds,
  type KindView,
  type OutputPage,
  type StarvedKind,
  type TaskFilter,
  type TaskPage,
  type TaskSnapshot,
} from './task-reads.ts';
import type { TaskHandler } from './task-run.ts';
import { TaskUnit } from './task-unit.ts';
import { isOver, type TaskView } from './task-view.ts';
import { afterKind, settle } from './transitions.ts';
import {
  dismissWorker,
  listWorkers,
  noteWorker,
  renewWorker,
  type WorkerSign,
  type WorkerView,
} from './worker-registry.ts';

/** Where a channel stands, as the hub says it. */
export interface ChannelPosition {
  readonly offset: number;
  readonly epoch: string;
}

export interface TasksOptions {
  /** Opened with `taskModule` among its modules. */
  readonly store: Store<TaskTables>;
  /** Kinds by name. Others are refused. */
  readonly kinds?: Readonly<Record<string, KindOptions>>;
  /** For timers and, on SQLite, the time. @defaultValue the store's clock */
  readonly clock?: Clock;
  /** Unix milliseconds that all nodes agree on. @defaultValue the database's time */
  readonly now?: () => number;
  readonly ids?: IdSource;
  /** In [0, 1), for backoff and jitter. @defaultValue `Math.random` */
  readonly random?: () => number;
  /** @defaultValue no logging */
  readonly logger?: TaskLogger;
  /** @defaultValue `task:<id>#<owner>` and `tasks:#<owner>`, without the owner where there is none */
  readonly channels?: Partial<TaskChannels>;
  /** Where a channel stands, so that a snapshot can be continued. @defaultValue unknown */
  readonly position?: (channel: string) => Promise<ChannelPosition | undefined>;
  readonly retention?: TaskRetentionOptions;
  /** How often expired rows are looked for. @defaultValue 1000 */
  readonly sweepMs?: number;
  /** How often workers look for work that another process requested. @defaultValue 500 */
  readonly pollMs?: number;
  /** How long handlers may take to stop when the process stops. @defaultValue 10000 */
  readonly stopGraceMs?: number;
}

/** Makes tasks on a store. Nothing runs in the background before {@link Tasks.start}. */
export async function createTasks(options: TasksOptions): Promise<Tasks> {
  const clock = options.clock ?? options.store.clock ?? systemClock;
  const time =
    options.now === undefined
      ? await openSharedTime(options.store, clock)
      : { now: options.now, measure: () => Promise.resolve() };
  return new Tasks(options, { clock, time });
}

const silent: TaskLogger = { debug() {}, info() {}, warn() {}, error() {} };
const noWorkers = { live: 0, lastSeenAt: null };
const noDurations: ReadonlyMap<string, number> = new Map();
const maxWaitMs = 60_000;
const awaitWorkMs = 3_600_000;
/** Kind of {@link Tasks.batch}. */
const batchKind = 'batch';

export interface RetryOptions {
  /** Forgets the checkpoint of the task that is over. @defaultValue false */
  readonly isFromStart?: boolean;
}

/** A snapshot, and where to go on from it. */
export interface Continued<T> {
  /** Null for none: read again instead. */
  readonly channel: string | null;
  /** Events after it continue the snapshot; events of the same or a lower version change nothing. */
  readonly position: ChannelPosition | null;
  readonly snapshot: T;
}

/**
 * Tasks whose status cannot get stuck. Made by {@link createTasks}. `task.spec.md` has the states and
 * the invariants. Every change is committed together with its event.
 */
export class Tasks implements AsyncDisposable {
  readonly metrics: TaskMetrics = new TaskMetrics();
  readonly schedules: Schedules;
  readonly #options: TasksOptions;
  readonly #context: TaskContext;
  readonly #kinds = new Map<string, Kind>();
  readonly #doorbell = new Doorbell();
  readonly #worker: LocalWorker;
  readonly #maintenance: Maintenance;
  readonly #closing = new AbortController();
  readonly #followers: JobFollower[] = [];
  #isStarted = false;

  constructor(
    options: TasksOptions,
    use: {
      readonly clock: Clock;
      readonly time: { now(): number; measure(): Promise<void> };
    },
  ) {
    this.#options = options;
    const defaults = new Map<string, Kind>();
    this.#context = {
      store: options.store,
      now: () => use.time.now(),
      clock: use.clock,
      ids: options.ids ?? options.store.ids,
      random: options.random ?? Math.random,
      logger: options.logger ?? silent,
      channels: {
        ...ownerOnlyChannels(),
        ...options.channels,
      },
      metrics: this.metrics,
      kind: (name) => {
        const kind = this.#kinds.get(name) ?? defaults.get(name) ?? resolveKind(name);
        if (!this.#kinds.has(name) && defaults.size < 1000) defaults.set(name, kind);
        return kind;
      },
      isKnown: (name) => this.#kinds.has(name),
      workers: (kind) => this.#maintenance.workers.get(kind) ?? noWorkers,
      durations: (kind) => this.#maintenance.durations.get(kind) ?? noDurations,
      wake: (kinds) => this.#doorbell.ring(kinds),
    };
    this.#maintenance = new Maintenance(this.#context, {
      sweepMs: options.sweepMs ?? 1000,
      measureTime: () => use.time.measure(),
      noteWorker: () => this.#worker.note(),
    });
    this.schedules = new Schedules(this.#context);
    // One look for all who wait in this process, however many they are: for work that others
    // requested, and for work that has become due.
    this.#maintenance.add({
      name: 'lookout',
      everyMs: options.pollMs ?? 500,
      run: async () => {
        this.#doorbell.ringForAll(await findDueKinds(this.#context, this.#doorbell.awaited));
      },
    });
    this.#maintenance.add({
      name: 'schedules',
      everyMs: 1000,
      run: async () => {
        await this.schedules.tick();
      },
    });
    this.#worker = new LocalWorker(this.#context, {
      doorbell: this.#doorbell,
      pollMs: options.pollMs ?? 500,
    });
    this.#kinds.set(batchKind, resolveKind(batchKind));
    for (const [name, kind] of Object.entries(options.kinds ?? {})) this.register(name, kind);
  }

  /** What this package's parts work with. */
  get context(): TaskContext {
    return this.#context;
  }

  /** Aborted when this process begins to stop. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Names of all kinds. */
  get kinds(): readonly string[] {
    return [...this.#kinds.keys()];
  }

  /** Adds a kind. @throws {@link TaskError} `task_bad_request` */
  register(name: string, options: KindOptions = {}): void {
    if (this.#kinds.has(name)) {
      throw new TaskError('task_bad_request', `kind ${name} is registered already`);
    }
    this.#kinds.set(name, resolveKind(name, options));
    const { after } = options;
    if (after === undefined) return;
    const hook = afterKind(name);
    this.#kinds.set(hook, resolveKind(hook, { attempts: 10 }));
    this.#worker.handle(hook, async (task, { signal }) => {
      await after(task.payload as TaskView, { signal });
    });
  }

  /** Works on tasks of a kind in this process. */
  handle(kind: string, handler: TaskHandler, options: HandleOptions = {}): void {
    if (!this.#kinds.has(kind)) {
      throw new TaskError('task_unknown_kind', `kind ${JSON.stringify(kind)} is not known`);
    }
    this.#worker.handle(kind, handler, options);
  }

  /**
   * Shows the jobs of another queue as tasks, for as long as this runs: for example a `bullMqSource`
   * or a `pgBossSource`. Nothing is changed in that queue.
   * @throws {@link TaskError} `task_bad_request` when its kind is a kind of our own, or followed already
   */
  follow(source: JobSource): void {
    const isTaken = this.#followers.some((one) => one.source.name === source.name);
    if (isTaken || this.#kinds.has(source.kind)) {
      throw new TaskError('task_bad_request', `${source.kind} of ${source.name} is taken already`);
    }
    const follower = new JobFollower(this.#context, source);
    this.#followers.push(follower);
    if (this.#isStarted) follower.start();
  }

  /** Begins to sweep, and to work on tasks that have handlers here. */
  async start(): Promise<void> {
    await this.#worker.note();
    await this.#maintenance.start();
    for (const job of retentionJobs(this.#options.retention ?? {}, this.#context.now)) {
      this.#context.store.retention.add(job);
    }
    await this.#worker.start();
    this.#isStarted = true;
    for (const follower of this.#followers) follower.start();
  }

  /**
   * Stops in order: handlers are asked to stop, tasks that go on are given back. Call it before the
   * store is closed.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#followers.map((follower) => follower.close()));
    await this.#worker.close(this.#options.stopGraceMs ?? 10_000);
    await this.#maintenance.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Asks for work. The task, and whatever it changes for others, is durable when this resolves.
   * @throws {@link TaskError} `task_unknown_kind`, `task_bad_request`, `task_too_large`,
   * `task_cycle`, `task_parent_over`
   */
  async request(request: TaskRequest): Promise<TaskAnswer> {
    const [answer] = await requestTasks(this.#context, [request]);
    if (answer === undefined) throw new Error('a request without an answer');
    return answer;
  }

  /**
   * A user asks for work: for a kind that is open to users, as their own task, and only so many.
   * @throws {@link TaskError} `task_forbidden`, `task_too_many`, and what `request` throws
   */
  requestAsUser(user: string, request: UserTaskRequest): Promise<TaskAnswer> {
    return requestAsUser(this.#context, user, request);
  }

  /** Asks for several pieces of work; all are granted, or none. */
  requestAll(requests: readonly TaskRequest[]): Promise<readonly TaskAnswer[]> {
    return requestTasks(this.#context, requests);
  }

  /**
   * Asks for work as part of a transaction of the caller: the task exists if and only if that
   * transaction commits. Workers of this process find it at their next poll.
   */
  async requestIn(trx: StoreTransaction<TaskTables>, request: TaskRequest): Promise<TaskAnswer> {
    const prepared = [prepareRequest(this.#context, request)];
    await this.#context.store.lock(trx, locksOf(prepared));
    const [answer] = await TaskUnit.join(this.#context, trx, (unit) =>
      makeRequests(unit, prepared),
    );
    if (answer === undefined) throw new Error('a request without an answer');
    return answer;
  }

  /**
   * Asks for several pieces of work under one parent, which is over when the last of them is, and
   * tells how many failed.
   */
  async batch(
    requests: readonly Omit<TaskRequest, 'parent'>[],
    options: { readonly owner?: string; readonly idempotencyKey?: string } = {},
  ): Promise<{ readonly id: string; readonly children: readonly TaskAnswer[] }> {
    const parent = prepareRequest(this.#context, { ...options, kind: batchKind });
    const inherited = options.owner === undefined ? {} : { owner: options.owner };
    const plain = requests.map((one) => prepareRequest(this.#context, { ...inherited, ...one }));
    return await TaskUnit.run(this.#context, async (unit) => {
      await this.#context.store.lock(unit.trx, locksOf([parent, ...plain]));
      const [answer] = await makeRequests(unit, [parent]);
      if (answer === undefined) throw new Error('a request without an answer');
      // The same batch once more: its children are there already.
      if (answer.outcome === 'joined') return { id: answer.id, children: [] };
      const children = await makeRequests(
        unit,
        plain.map((one) => withParent(one, answer.id)),
      );
      // The batch itself has nothing to do.
      await settle(unit, await unit.load(answer.id), { state: 'completed' });
      return { id: answer.id, children };
    });
  }

  /**
   * Takes tasks that are due, waiting up to `waitMs` for one.
   * @param options.waitMs at most 60000. @defaultValue 0
   */
  async claim(
    options: ClaimOptions & { readonly waitMs?: number; readonly signal?: AbortSignal },
  ): Promise<readonly ClaimedTask[]> {
    const { clock } = this.#context;
    const signal = AbortSignal.any([
      this.#closing.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const until = clock.monotonic() + Math.min(options.waitMs ?? 0, maxWaitMs);
    for (;;) {
      if (signal.aborted) return [];
      const tasks = await claimTasks(this.#context, options);
      const left = until - clock.monotonic();
      // There may be more, for the next one who waits.
      this.#doorbell.ring(new Set(tasks.map(({ kind }) => kind)));
      if (tasks.length > 0 || left <= 0) return tasks;
      // Once started, one look for all says when there is work.
      const waitMs = this.#isStarted ? left : Math.min(left, this.#options.pollMs ?? 500);
      await this.#doorbell.wait(options.kinds, { clock, waitMs, signal });
    }
  }

  /**
   * Resolves when there may be something to claim of one of `kinds`, or when `signal` is aborted. It
   * costs nothing while nothing happens; whoever was faster may have taken it.
   */
  async awaitWork(kinds: readonly string[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    await this.#doorbell.wait(kinds, { clock, waitMs: awaitWorkMs, signal });
  }

  /** Says that a worker outside this process is alive. It counts as alive for 30 seconds. */
  noteWorker(sign: WorkerSign): Promise<void> {
    return noteWorker(this.#context, sign);
  }

  /** Says that a worker that was noted before is still alive, for example while it works. */
  renewWorker(id: string): Promise<void> {
    return renewWorker(this.#context, id);
  }

  /** A worker outside this process ends in order. */
  dismissWorker(id: string): Promise<void> {
    return dismissWorker(this.#context, id);
  }

  /** Extends a lease. @throws {@link TaskError} `task_fenced` when it is over: stop working. */
  heartbeat(lease: Lease): Promise<LeaseState> {
    return this.#write((unit) => heartbeat(unit, lease));
  }

  /** Reports progress, and extends the lease. @throws {@link TaskError} `task_bad_progress`, `task_fenced` */
  progress(lease: Lease, update: ProgressUpdate): Promise<LeaseState> {
    return this.#write((unit) => reportProgress(unit, lease, update));
  }

  /**
   * Keeps what the next attempt needs to go on where this one is, and extends the lease.
   * @throws {@link TaskError} `task_fenced`, `task_too_large`
   */
  checkpoint(lease: Lease, value: unknown): Promise<LeaseState> {
    return this.#write((unit) => saveCheckpoint(unit, lease, value));
  }

  /** Appends to the output, and extends the lease. @throws {@link TaskError} `task_fenced`, `task_too_large` */
  output(lease: Lease, parts: readonly OutputPart[]): Promise<OutputState> {
    return this.#write((unit) => appendOutput(unit, lease, parts));
  }

  /**
   * Ends an attempt with success.
   * @param work writes what the task made, in the same transaction: it is kept if and only if the
   * completion is
   * @throws {@link TaskError} `task_fenced`: nothing was kept
   */
  complete(
    lease: Lease,
    result?: unknown,
    work?: (trx: StoreTransaction<TaskTables>) => Promise<void>,
  ): Promise<void> {
    return this.#write(async (unit) => {
      await complete(unit, lease, result);
      await work?.(unit.trx);
    });
  }

  /** Ends an attempt without success. @throws {@link TaskError} `task_fenced` */
  fail(lease: Lease, failure: Failure): Promise<void> {
    return this.#write((unit) => fail(unit, lease, failure));
  }

  /** Gives a task back unfinished without counting the attempt, or ends it when it was cancelled. */
  release(lease: Lease): Promise<void> {
    return this.#write((unit) => stop(unit, lease));
  }

  /** Cancels a task and what only it waits for. Does nothing to one that is over. */
  async cancel(id: string): Promise<TaskSnapshot> {
    await this.#write((unit) => cancelTree(unit, id));
    return readTask(this.#context, id);
  }

  /**
   * Asks for the work of a task that is over once more, as a new task that goes on from the last
   * checkpoint.
   * @throws {@link TaskError} `task_not_over`
   */
  async retry(id: string, options: RetryOptions = {}): Promise<TaskAnswer> {
    return this.request(await this.#again(id, options));
  }

  /** The same for a user, whose new task it is. @throws {@link TaskError} as `requestAsUser`, `task_not_over` */
  async retryAsUser(user: string, id: string, options: RetryOptions = {}): Promise<TaskAnswer> {
    return this.requestAsUser(user, await this.#again(id, options));
  }

  async #again(id: string, options: RetryOptions): Promise<TaskRequest> {
    const row = await this.#context.store.read((db) =>
      db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst(),
    );
    if (row === undefined) throw new TaskError('task_not_found', `there is no task ${id}`);
    if (row.source !== null) {
      throw new TaskError('task_followed', `task ${id} is a job of ${row.source}`);
    }
    if (!isOver(row)) throw new TaskError('task_not_over', `task ${id} is not over`);
    return {
      kind: row.kind,
      payload: JSON.parse(row.payload),
      owner: row.owner,
      attempts: row.max_attempts,
      lane: row.lane,
      ...(row.max_runtime_ms === null ? {} : { maxRuntimeMs: row.max_runtime_ms }),
      ...(row.checkpoint === null || options.isFromStart === true
        ? {}
        : { checkpoint: JSON.parse(row.checkpoint) as unknown }),
      ...(row.unique_key === null ? {} : { key: row.unique_key }),
    };
  }

  /** Cancels the task of a run of a schedule. @throws {@link TaskError} `schedule_not_found`, `task_not_found` */
  async cancelRun(schedule: string, run: string): Promise<ScheduleRun> {
    const { task } = await this.schedules.run(schedule, run);
    if (task === null) throw new TaskError('task_not_found', `run ${run} has no task`);
    await this.cancel(task.id);
    return this.schedules.run(schedule, run);
  }

  /** Deletes a task that is over. @throws {@link TaskError} `task_not_over` */
  async delete(id: string): Promise<void> {
    await this.#write(async (unit) => {
      const row = await unit.load(id);
      if (!isOver(row)) throw new TaskError('task_not_over', `task ${id} is not over`);
      await deleteTaskRows(unit.trx, [id]);
      unit.publishDeleted(row);
    });
  }

  /** Everything about a task. @throws {@link TaskError} `task_not_found` */
  get(id: string): Promise<TaskSnapshot> {
    return readTask(this.#context, id);
  }

  /** Newest first. */
  async list(filter: TaskFilter = {}): Promise<readonly TaskView[]> {
    return (await listTasks(this.#context, filter)).items;
  }

  /** Newest first, with what is needed to go on. */
  page(filter: TaskFilter = {}): Promise<TaskPage> {
    return listTasks(this.#context, filter);
  }

  /** A task with the position of its channel: what happens later is after that position. */
  async snapshot(id: string): Promise<Continued<TaskSnapshot>> {
    const { owner } = await readTask(this.#context, id);
    return this.#continued(this.#context.channels.task({ id, owner }), () =>
      readTask(this.#context, id),
    );
  }

  /** Tasks of an owner with the position of the owner's channel. */
  ownerSnapshot(
    owner: string,
    filter: Omit<TaskFilter, 'owner'> = {},
  ): Promise<Continued<TaskPage>> {
    const channel = this.#context.channels.owner(owner) ?? null;
    return this.#continued(channel, () => listTasks(this.#context, { ...filter, owner }));
  }

  /** A page of a task's output, from its beginning or after a number. */
  readOutput(
    id: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<OutputPage> {
    return readOutput(this.#context, id, options);
  }

  /** The same with the position of the task's channel: output events after it continue the page. */
  async outputSnapshot(
    id: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<Continued<OutputPage>> {
    const { owner } = await readTask(this.#context, id);
    return this.#continued(this.#context.channels.task({ id, owner }), () =>
      readOutput(this.#context, id, options),
    );
  }

  workers(): Promise<readonly WorkerView[]> {
    return listWorkers(this.#context.store, this.#context.now());
  }

  /** Every kind with its workers and what waits for them. */
  kindViews(): Promise<readonly KindView[]> {
    return viewKinds(
      this.#context,
      this.kinds.filter((name) => name !== batchKind),
    );
  }

  /** Kinds whose due tasks nobody alive can take: the reason of most reports that nothing moves. */
  starvedKinds(): Promise<readonly StarvedKind[]> {
    return findStarvedKinds(this.#context);
  }

  /** What keeps tasks from being worked on, as of the last sweep. Feeds health. */
  problems(): readonly string[] {
    const unread = this.#followers.flatMap(({ problem }) => problem ?? []);
    return [...this.#maintenance.problems, ...unread];
  }

  /** Finds tasks that look stuck or break a rule, and heals them when told to. */
  examine(options: DoctorOptions = {}): Promise<readonly Finding[]> {
    return examineTasks(this.#context, options);
  }

  /** What was repaired, newest first. */
  repairs(options: { readonly limit?: number } = {}): Promise<readonly TaskAuditTable[]> {
    return listAudit(this.#context, options.limit);
  }

  /** Settles every row whose time is over. Runs by itself every second. */
  sweep(): Promise<number> {
    return sweepTasks(this.#context);
  }

  #write<T>(write: (unit: TaskUnit) => Promise<T>): Promise<T> {
    return TaskUnit.run(this.#context, write);
  }

  async #positionOf(channel: string): Promise<ChannelPosition | null> {
    return (await this.#options.position?.(channel)) ?? null;
  }

  async #continued<T>(channel: string | null, read: () => Promise<T>): Promise<Continued<T>> {
    // The position first: everything published up to it was committed before, so the read sees it.
    const position = channel === null ? null : await this.#positionOf(channel);
    return { channel, position, snapshot: await read() };
  }
}

function withParent(prepared: PreparedRequest, id: string): PreparedRequest {
  return { ...prepared, request: { ...prepared.request, parent: { id } } };
}
