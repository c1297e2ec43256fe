import type { TaskView } from '@holdfast/protocol/tasks';
import { systemClock, type Clock, type StoreTransaction } from '@holdfast/store';
import {
  batchKind,
  requestBatch,
  type Batch,
  type BatchedRequest,
  type BatchOptions,
} from './batch.ts';
import { cancelTree } from './cancel.ts';
import { ClaimDesk } from './claim-desk.ts';
import type { ClaimedTask, ClaimOptions, Lease } from './claim.ts';
import { examineTasks, type DoctorOptions, type Finding } from './doctor.ts';
import { Doorbell } from './doorbell.ts';
import { TaskError } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import type { KindOptions } from './kind.ts';
import { Kinds } from './kinds.ts';
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
import { locksOf, makeRequests } from './make-requests.ts';
import { requestAsUser, requestTasks } from './request-tasks.ts';
import {
  prepareRequest,
  type TaskAnswer,
  type TaskRequest,
  type UserTaskRequest,
} from './task-request.ts';
import { deleteTaskRows, retentionJobs } from './retention.ts';
import { requestAgain, type RetryOptions } from './retry.ts';
import { Schedules, type ScheduleRun } from './schedules/schedules.ts';
import { openSharedTime } from './shared-time.ts';
import { JobFollower } from './sources/job-follower.ts';
import type { JobSource } from './sources/job-source.ts';
import { sweepTasks } from './sweep.ts';
import { ownerOnlyChannels } from './task-channels.ts';
import type { TaskContext, TaskLogger } from './task-context.ts';
import { TaskMetrics } from './task-metrics.ts';
import type { TaskTables } from './task-module.ts';
import { TaskReader } from './task-reader.ts';
import {
  findDueKinds,
  readTask,
  viewKinds,
  type KindView,
  type TaskSnapshot,
} from './task-reads.ts';
import type { TaskHandler } from './task-run.ts';
import { TaskUnit } from './task-unit.ts';
import { isOver } from './task-view.ts';
import type { TasksOptions } from './tasks-options.ts';
import { afterKind } from './transitions.ts';
import { dismissWorker, noteWorker, renewWorker, type WorkerSign } from './worker-registry.ts';

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

/**
 * Tasks whose status cannot get stuck. Made by {@link createTasks}. `task.spec.md` has the states and
 * the invariants. Every change is committed together with its event.
 */
export class Tasks extends TaskReader implements AsyncDisposable {
  readonly metrics: TaskMetrics = new TaskMetrics();
  readonly schedules: Schedules;
  readonly #options: TasksOptions;
  readonly #context: TaskContext;
  readonly #kinds = new Kinds();
  readonly #claims: ClaimDesk;
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
    super(options.position ?? (() => Promise.resolve(undefined)));
    this.#options = options;
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
      group: new GroupCommit(() => this.#context, {
        clock: use.clock,
        metrics: options.store.metrics,
      }),
      kind: (name) => this.#kinds.get(name),
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
    this.#claims = new ClaimDesk(this.#context);
    this.#worker = new LocalWorker(this.#context, {
      claims: this.#claims,
      doorbell: this.#doorbell,
      pollMs: options.pollMs ?? 500,
    });
    this.#kinds.add(batchKind);
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
    return this.#kinds.names;
  }

  /** Adds a kind. @throws {@link TaskError} `task_bad_request` */
  register(name: string, options: KindOptions = {}): void {
    this.#kinds.add(name, options);
    const { after } = options;
    if (after === undefined) return;
    const hook = afterKind(name);
    this.#kinds.add(hook, { attempts: 10 });
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
  batch(requests: readonly BatchedRequest[], options: BatchOptions = {}): Promise<Batch> {
    return requestBatch(this.#context, requests, options);
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
      const tasks = await this.#claims.claim(options);
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
    return this.#write(lease, (unit) => heartbeat(unit, lease));
  }

  /** Reports progress, and extends the lease. @throws {@link TaskError} `task_bad_progress`, `task_fenced` */
  progress(lease: Lease, update: ProgressUpdate): Promise<LeaseState> {
    return this.#write(lease, (unit) => reportProgress(unit, lease, update));
  }

  /**
   * Keeps what the next attempt needs to go on where this one is, and extends the lease.
   * @throws {@link TaskError} `task_fenced`, `task_too_large`
   */
  checkpoint(lease: Lease, value: unknown): Promise<LeaseState> {
    return this.#write(lease, (unit) => saveCheckpoint(unit, lease, value));
  }

  /** Appends to the output, and extends the lease. @throws {@link TaskError} `task_fenced`, `task_too_large` */
  output(lease: Lease, parts: readonly OutputPart[]): Promise<OutputState> {
    return this.#write(lease, (unit) => appendOutput(unit, lease, parts));
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
    if (work === undefined) return this.#write(lease, (unit) => complete(unit, lease, result));
    return TaskUnit.run(this.#context, async (unit) => {
      await complete(unit, lease, result);
      await work(unit.trx);
    });
  }

  /** Ends an attempt without success. @throws {@link TaskError} `task_fenced` */
  fail(lease: Lease, failure: Failure): Promise<void> {
    return this.#write(lease, (unit) => fail(unit, lease, failure));
  }

  /** Gives a task back unfinished without counting the attempt, or ends it when it was cancelled. */
  release(lease: Lease): Promise<void> {
    return this.#write(lease, (unit) => stop(unit, lease));
  }

  /** Cancels a task and what only it waits for. Does nothing to one that is over. */
  async cancel(id: string): Promise<TaskSnapshot> {
    await TaskUnit.run(this.#context, (unit) => cancelTree(unit, id));
    return readTask(this.#context, id);
  }

  /**
   * Asks for the work of a task that is over once more, as a new task that goes on from the last
   * checkpoint.
   * @throws {@link TaskError} `task_not_over`
   */
  async retry(id: string, options: RetryOptions = {}): Promise<TaskAnswer> {
    return this.request(await requestAgain(this.#context, id, options));
  }

  /** The same for a user, whose new task it is. @throws {@link TaskError} as `requestAsUser`, `task_not_over` */
  async retryAsUser(user: string, id: string, options: RetryOptions = {}): Promise<TaskAnswer> {
    return this.requestAsUser(user, await requestAgain(this.#context, id, options));
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
    await TaskUnit.run(this.#context, async (unit) => {
      const row = await unit.load(id);
      if (!isOver(row)) throw new TaskError('task_not_over', `task ${id} is not over`);
      await deleteTaskRows(unit.trx, [id]);
      unit.publishDeleted(row);
    });
  }

  /** Every kind with its workers and what waits for them. */
  kindViews(): Promise<readonly KindView[]> {
    return viewKinds(
      this.#context,
      this.kinds.filter((name) => name !== batchKind),
    );
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

  /** Settles every row whose time is over. Runs by itself every second. */
  sweep(): Promise<number> {
    return sweepTasks(this.#context);
  }

  #write<T>(lease: Lease, write: (unit: TaskUnit) => Promise<T>): Promise<T> {
    return this.#context.group.run({ ids: [lease.id] }, write);
  }
}
