import { hostname } from 'node:os';
import { delay } from '@holdfast/store';
import type { ClaimDesk } from './claim-desk.ts';
import type { Doorbell } from './doorbell.ts';
import { TaskError } from './errors.ts';
import type { TaskContext } from './task-context.ts';
import { TaskRun, type TaskHandler } from './task-run.ts';
import { dismissWorker, noteWorker } from './worker-registry.ts';

/** How many tasks of a kind this process works on. */
export interface HandleOptions {
  /** Tasks of this kind that this process works on at the same time. @defaultValue 4 */
  readonly concurrency?: number;
}

interface Handled {
  readonly handler: TaskHandler;
  readonly concurrency: number;
  readonly runs: Set<TaskRun>;
  /** Called when a run has ended. */
  onFreed: () => void;
}

export interface LocalWorkerOptions {
  readonly claims: ClaimDesk;
  readonly doorbell: Doorbell;
  /** How often to look for work that nobody rang for. */
  readonly pollMs: number;
}

const beatCheckMs = 1000;
const troubleWaitMs = 1000;

/** Handlers that run in this process. */
export class LocalWorker {
  readonly id: string;
  readonly #context: TaskContext;
  readonly #options: LocalWorkerOptions;
  readonly #handled = new Map<string, Handled>();
  readonly #closing = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #running = new Set<Promise<void>>();
  #stopBeats: (() => void) | undefined;
  #isBeating = false;
  #isStarted = false;

  constructor(context: TaskContext, options: LocalWorkerOptions) {
    this.#context = context;
    this.#options = options;
    this.id = `${hostname()}:${process.pid}:${context.ids.next()}`;
  }

  handle(kind: string, handler: TaskHandler, options: HandleOptions = {}): void {
    if (this.#handled.has(kind)) {
      throw new TaskError('task_bad_request', `kind ${kind} has a handler already`);
    }
    const handled = {
      handler,
      concurrency: options.concurrency ?? 4,
      runs: new Set<TaskRun>(),
      onFreed() {},
    };
    this.#handled.set(kind, handled);
    if (this.#isStarted) this.#loops.push(this.#loop(kind, handled));
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    const beatMs = Math.min(
      beatCheckMs,
      ...[...this.#handled.keys()].map((kind) => this.#context.kind(kind).heartbeatMs),
    );
    this.#stopBeats = this.#context.clock.every(beatMs, () => void this.#beat());
    await this.note();
    for (const [kind, handled] of this.#handled) this.#loops.push(this.#loop(kind, handled));
  }

  /** Says that this worker is alive. */
  async note(): Promise<void> {
    if (!this.#isStarted || this.#closing.signal.aborted) return;
    for (const [kind, { concurrency }] of this.#handled) {
      const name = `${hostname()}:${process.pid}`;
      await noteWorker(this.#context, { id: this.id, kinds: [kind], name, concurrency });
    }
  }

  /**
   * Takes no more tasks, asks handlers to stop, and gives back what has not stopped within `graceMs`,
   * so that another worker can go on at once.
   */
  async close(graceMs: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.all(this.#loops);
    for (const run of this.#allRuns()) run.stopSoon();
    const done = new AbortController();
    const finished = Promise.all(this.#running).finally(() => done.abort());
    await Promise.race([finished, delay(this.#context.clock, graceMs, done.signal)]);
    await Promise.all(this.#allRuns().map((run) => run.abandon()));
    this.#stopBeats?.();
    if (this.#isStarted && this.#handled.size > 0) await dismissWorker(this.#context, this.id);
  }

  async #loop(kind: string, handled: Handled): Promise<void> {
    const { clock, logger } = this.#context;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const limit = handled.concurrency - handled.runs.size;
      let found = 0;
      try {
        if (limit > 0) found = await this.#take(kind, handled, limit);
      } catch (error) {
        logger.warn({ kind, err: error }, 'tasks could not be claimed; trying again');
        await delay(clock, troubleWaitMs, signal);
      }
      if (found > 0 && found === limit) {
        // There may be more, for others who wait.
        this.#options.doorbell.ring([kind]);
        if (handled.runs.size < handled.concurrency) continue;
      }
      await this.#pause(kind, handled);
    }
  }

  /** Until a run ends, or work comes while there is room for it. */
  async #pause(kind: string, handled: Handled): Promise<void> {
    const freed = new AbortController();
    handled.onFreed = () => freed.abort();
    const signal = AbortSignal.any([this.#closing.signal, freed.signal]);
    const { doorbell, pollMs: waitMs } = this.#options;
    const { clock } = this.#context;
    // Who has no room must not be rung for.
    if (handled.runs.size >= handled.concurrency) await delay(clock, waitMs, signal);
    else await doorbell.wait([kind], { clock, waitMs, signal });
  }

  async #take(kind: string, handled: Handled, limit: number): Promise<number> {
    const tasks = await this.#options.claims.claim({ kinds: [kind], worker: this.id, limit });
    for (const task of tasks) {
      const run = new TaskRun(this.#context, task);
      handled.runs.add(run);
      const running = run.run(handled.handler).finally(() => {
        handled.runs.delete(run);
        this.#running.delete(running);
        handled.onFreed();
      });
      this.#running.add(running);
    }
    return tasks.length;
  }

  #allRuns(): readonly TaskRun[] {
    return [...this.#handled.values()].flatMap(({ runs }) => Array.from(runs));
  }

  async #beat(): Promise<void> {
    const runs = this.#allRuns();
    for (const run of runs) run.check();
    const due = runs.filter((run) => run.isBeatDue);
    if (due.length === 0 || this.#isBeating) return;
    this.#isBeating = true;
    try {
      await Promise.all(due.map((run) => run.beat()));
    } catch (error) {
      const { logger } = this.#context;
      logger.warn(
        { err: error, tasks: due.length },
        'heartbeats could not be written; trying again',
      );
    } finally {
      this.#isBeating = false;
    }
  }
}
