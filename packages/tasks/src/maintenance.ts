import { sweepTasks } from './sweep.ts';
import type { TaskContext } from './task-context.ts';
import { findStarvedKinds, type StarvedKind } from './task-reads.ts';
import type { Durations } from './progress.ts';
import type { WorkerCount } from './task-view.ts';
import { countWorkers } from './worker-registry.ts';

export interface MaintenanceOptions {
  readonly sweepMs: number;
  readonly measureTime: () => Promise<void>;
  readonly noteWorker: () => Promise<void>;
}

/** Something that is done again and again. */
interface Chore {
  readonly name: string;
  readonly everyMs: number;
  run(): Promise<void>;
}

const noteEveryMs = 10_000;
const measureEveryMs = 10_000;
const learnEveryMs = 30_000;

/**
 * What every node does in the background. Every node does it, not only one: a node that is stopped in
 * the middle of being the one would stop it for all. A chore never overlaps itself, and its failure
 * is logged and keeps nobody from trying again.
 */
export class Maintenance {
  readonly #context: TaskContext;
  readonly #chores: readonly Chore[];
  readonly #stops: (() => void)[] = [];
  readonly #running = new Map<string, Promise<void>>();
  readonly #extra: Chore[] = [];
  #workers: ReadonlyMap<string, WorkerCount> = new Map();
  #durations: ReadonlyMap<string, Durations> = new Map();
  #starved: readonly StarvedKind[] = [];

  constructor(context: TaskContext, options: MaintenanceOptions) {
    this.#context = context;
    this.#chores = [
      { name: 'shared time', everyMs: measureEveryMs, run: options.measureTime },
      { name: 'sign of life', everyMs: noteEveryMs, run: options.noteWorker },
      { name: 'durations', everyMs: learnEveryMs, run: () => this.#readDurations() },
      { name: 'workers', everyMs: options.sweepMs, run: () => this.#lookAtWorkers() },
      {
        name: 'sweep',
        everyMs: options.sweepMs,
        run: async () => {
          await sweepTasks(context);
        },
      },
    ];
  }

  get workers(): ReadonlyMap<string, WorkerCount> {
    return this.#workers;
  }

  get durations(): ReadonlyMap<string, Durations> {
    return this.#durations;
  }

  get problems(): readonly string[] {
    return this.#starved.map(
      ({ kind, waiting, lastSeenAt }) =>
        `${waiting} tasks of kind ${kind} wait, and no worker for it is alive (` +
        (lastSeenAt === null
          ? 'none was ever seen: start one'
          : `the last was seen at ${new Date(lastSeenAt).toISOString()}: look at its log`) +
        ')',
    );
  }

  /** Adds something to do. Before {@link start}. */
  add(chore: Chore): void {
    this.#extra.push(chore);
  }

  /** Does everything once, also to settle what an earlier run of the program left, then at intervals. */
  async start(): Promise<void> {
    for (const chore of [...this.#chores, ...this.#extra]) {
      await this.#run(chore);
      const stop = this.#context.clock.every(chore.everyMs, () => {
        if (this.#running.has(chore.name)) return;
        const running = this.#run(chore).finally(() => this.#running.delete(chore.name));
        this.#running.set(chore.name, running);
      });
      this.#stops.push(stop);
    }
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    await Promise.all(this.#running.values());
  }

  async #run(chore: Chore): Promise<void> {
    try {
      await chore.run();
    } catch (error) {
      this.#context.metrics.sweepFailures += 1;
      this.#context.logger.warn({ err: error, chore: chore.name }, 'background work failed');
    }
  }

  async #readDurations(): Promise<void> {
    const rows = await this.#context.store.read((db) =>
      db.selectFrom('task_durations').selectAll().execute(),
    );
    const durations = new Map<string, Map<string, number>>();
    for (const { kind, step, mean_ms } of rows) {
      const ofKind = durations.get(kind) ?? new Map<string, number>();
      durations.set(kind, ofKind.set(step, mean_ms));
    }
    this.#durations = durations;
  }

  async #lookAtWorkers(): Promise<void> {
    const { store, now, logger, metrics } = this.#context;
    this.#workers = await store.read((db) => countWorkers(db, now()));
    const before = new Set(this.#starved.map(({ kind }) => kind));
    this.#starved = await findStarvedKinds(this.#context);
    metrics.withoutWorker.clear();
    for (const { kind, waiting } of this.#starved) {
      metrics.withoutWorker.set(kind, waiting);
      if (before.has(kind)) continue;
      logger.warn({ kind, waiting }, 'tasks wait and no worker for them is alive: start one');
    }
    for (const kind of before) {
      if (!metrics.withoutWorker.has(kind)) logger.info({ kind }, 'tasks have a worker again');
    }
  }
}
