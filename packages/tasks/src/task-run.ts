import { after, delay, StoreError } from '@holdfast/store';
import type { ClaimedTask } from './claim.ts';
import { TaskError } from './errors.ts';
import {
  appendOutput,
  complete,
  fail,
  heartbeat,
  reportProgress,
  saveCheckpoint,
  stop,
  type LeaseState,
  type OutputPart,
} from './lease-writes.ts';
import { advance, type ProgressState, type ProgressUpdate } from './progress.ts';
import { requestTasks } from './request-tasks.ts';
import type { TaskAnswer, TaskRequest } from './task-request.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskUnit } from './task-unit.ts';

/** Why a handler's signal was aborted. */
export type StopReason = 'cancelled' | 'lease_lost' | 'stopping';

/** What a handler can do beside its work. */
export interface TaskTools {
  /**
   * Aborted with a {@link StopReason} when the task is cancelled, when its lease is lost, or when the
   * process stops. A handler that throws after that has stopped in order.
   */
  readonly signal: AbortSignal;
  /**
   * Reports how far the work is. Values that come quickly are written at intervals, the last one wins.
   * @throws {@link TaskError} `task_bad_progress`
   */
  readonly progress: (update: ProgressUpdate) => void;
  /**
   * Appends to the task's output stream.
   * @returns false when the stream is full and the text was refused
   */
  readonly output: (text: string, type?: string) => boolean;
  /**
   * Keeps what the next attempt needs to go on where this one is: it finds the last value in
   * `task.checkpoint`. Durable when this resolves.
   * @throws {@link TaskError} `task_too_large`, `task_fenced` once the lease is lost
   */
  readonly checkpoint: (value: unknown) => Promise<void>;
  /** Requests a task that this one ends after. Refused once the lease is lost. */
  readonly child: (request: Omit<TaskRequest, 'parent'>) => Promise<TaskAnswer>;
}

/** Does the work of a kind. Its result must be JSON. An error with `retryable: false` is final. */
export type TaskHandler = (task: ClaimedTask, tools: TaskTools) => Promise<unknown>;

const writeIntervalMs = 250;
/** The longest escape in JSON makes six bytes of one character: so much always fits in a chunk. */
const chunkCharacters = 5000;
const chunksAtOnce = 50;
const maxBackoffMs = 2000;

/** One attempt at a task, in this process. */
export class TaskRun {
  readonly task: ClaimedTask;
  readonly #context: TaskContext;
  readonly #abort = new AbortController();
  readonly #lost = Promise.withResolvers<void>();
  readonly #ended = new AbortController();
  readonly #maxOutputBytes: number;
  #expiresAt: number;
  #lastBeatAt: number;
  #progress: ProgressState = { steps: null, progress: 0, message: null };
  #pendingProgress: ProgressUpdate | undefined;
  #pendingOutput: OutputPart[] = [];
  #outputBytes = 0;
  #isOutputFull = false;
  #isWriteDue = false;
  #isLost = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(context: TaskContext, task: ClaimedTask) {
    this.task = task;
    this.#context = context;
    this.#expiresAt = task.expiresAt;
    this.#lastBeatAt = task.now;
    this.#maxOutputBytes = context.kind(task.kind).maxOutputBytes;
  }

  get isBeatDue(): boolean {
    return this.#context.now() - this.#lastBeatAt >= this.task.heartbeatMs;
  }

  /** Looks at the clock: a lease that could not be extended is over, whatever the database says. */
  check(): void {
    if (this.#context.now() >= this.#expiresAt) this.#loseLease();
  }

  /** Says that it is alive. @throws `StoreError` when that could not be written */
  async beat(): Promise<void> {
    try {
      this.#takeState(
        await this.#context.group.run({ ids: [this.task.id] }, (unit) =>
          heartbeat(unit, this.task),
        ),
      );
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      this.#loseLease();
    }
  }

  #takeState(state: LeaseState): void {
    this.#expiresAt = state.expiresAt;
    this.#lastBeatAt = this.#context.now();
    if (state.isCancelRequested) this.#abortWith('cancelled');
  }

  #loseLease(): void {
    this.#isLost = true;
    this.#abortWith('lease_lost');
    this.#lost.resolve();
  }

  stopSoon(): void {
    this.#abortWith('stopping');
  }

  /** Runs the handler to its end, and says so to the store. Never rejects. */
  async run(handler: TaskHandler): Promise<void> {
    const work = this.#work(handler);
    // A handler that does not stop when its lease is gone is left to itself: all it can still do is
    // to write with a token that is no longer good.
    await Promise.race([work, this.#lost.promise]);
    this.#ended.abort();
  }

  /** Gives the task back although its handler goes on. */
  async abandon(): Promise<void> {
    await this.#settle((unit) => stop(unit, this.task));
    this.#loseLease();
  }

  async #work(handler: TaskHandler): Promise<void> {
    let result: unknown;
    try {
      result = await handler(this.task, {
        signal: this.#abort.signal,
        progress: (update) => this.#reportProgress(update),
        output: (text, type) => this.#appendOutput(text, type),
        checkpoint: (value) => this.#saveCheckpoint(value),
        child: (request) => this.#requestChild(request),
      });
      await this.#flush();
    } catch (error) {
      await this.#flush();
      await this.#settle((unit) => this.#end(unit, error));
      return;
    }
    await this.#settle(async (unit) => {
      try {
        await complete(unit, this.task, result);
      } catch (error) {
        if (!(error instanceof TaskError) || error.code === 'task_fenced') throw error;
        await fail(unit, this.task, { message: error.message, isRetryable: false });
      }
    });
  }

  #end(unit: TaskUnit, error: unknown): Promise<void> {
    if (this.#abort.signal.aborted) return stop(unit, this.task);
    return fail(unit, this.task, {
      message: describe(error),
      isRetryable: !saysFinal(error),
    });
  }

  /** Tries for as long as the lease lasts: the database may be away for a moment. */
  async #settle(write: (unit: TaskUnit) => Promise<void>): Promise<void> {
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, maxBackoffMs)) {
      if (this.#isLost) return;
      try {
        await this.#context.group.run({ ids: [this.task.id] }, write);
        return;
      } catch (error) {
        if (error instanceof StoreError && error.retryable) {
          await delay(this.#context.clock, waitMs, this.#ended.signal);
          this.check();
          continue;
        }
        const { logger } = this.#context;
        const fields = { task: this.task.id, kind: this.task.kind, err: error };
        logger.warn(fields, 'the end of a task could not be written; it will be retried');
        this.#loseLease();
        return;
      }
    }
  }

  #reportProgress(update: ProgressUpdate): void {
    this.#progress = advance(this.#progress, update, this.#context.now());
    const isStep = update.steps !== undefined || update.step !== undefined;
    // Steps are timed when they are written, so each is written by itself.
    if (isStep && this.#pendingProgress !== undefined) this.#write();
    this.#pendingProgress = { ...this.#pendingProgress, ...update };
    if (isStep) this.#write();
    else this.#writeSoon();
  }

  #appendOutput(text: string, type = 'log'): boolean {
    if (this.#isOutputFull) {
      this.#context.metrics.outputRefused += 1;
      return false;
    }
    const data = text.replaceAll('\0', '\u{fffd}');
    for (let start = 0; start < data.length;) {
      const end = cut(data, start + chunkCharacters);
      const part = { type, data: data.slice(start, end) };
      this.#pendingOutput.push(part);
      this.#outputBytes += Buffer.byteLength(part.data);
      start = end;
      // The first part that does not fit goes to the store, which notes that the stream is full.
      if (this.#outputBytes > this.#maxOutputBytes) {
        this.#isOutputFull = true;
        break;
      }
    }
    if (this.#pendingOutput.length >= chunksAtOnce) this.#write();
    else this.#writeSoon();
    return !this.#isOutputFull;
  }

  async #saveCheckpoint(value: unknown): Promise<void> {
    const state = await this.#context.group.run({ ids: [this.task.id] }, (unit) =>
      saveCheckpoint(unit, this.task, value),
    );
    this.#takeState(state);
  }

  async #requestChild(request: Omit<TaskRequest, 'parent'>): Promise<TaskAnswer> {
    const { id, token, owner } = this.task;
    const [answer] = await requestTasks(this.#context, [
      { owner, ...request, parent: { id, token } },
    ]);
    if (answer === undefined) throw new Error('a request without an answer');
    return answer;
  }

  #writeSoon(): void {
    if (this.#isWriteDue) return;
    this.#isWriteDue = true;
    const cancel = after(this.#context.clock, writeIntervalMs, () => {
      this.#ended.signal.removeEventListener('abort', cancel);
      this.#isWriteDue = false;
      this.#write();
    });
    this.#ended.signal.addEventListener('abort', cancel);
  }

  #write(): void {
    const progress = this.#pendingProgress;
    const output = this.#pendingOutput;
    this.#pendingProgress = undefined;
    this.#pendingOutput = [];
    if (progress === undefined && output.length === 0) return;
    const writeInTurn = async (previous: Promise<void>): Promise<void> => {
      await previous;
      await this.#writeNow(progress, output);
    };
    this.#writing = writeInTurn(this.#writing);
  }

  async #writeNow(progress: ProgressUpdate | undefined, output: OutputPart[]): Promise<void> {
    await this.#settle(async (unit) => {
      if (progress !== undefined) {
        const state = await reportProgress(unit, this.task, progress);
        unit.afterCommit(() => this.#takeState(state));
      }
      for (let start = 0; start < output.length; start += chunksAtOnce) {
        const parts = output.slice(start, start + chunksAtOnce);
        const state = await appendOutput(unit, this.task, parts);
        unit.afterCommit(() => this.#takeState(state));
      }
    });
  }

  async #flush(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #abortWith(reason: StopReason): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason);
  }
}

/** Not between the two halves of a character. */
function cut(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const isHigh = (text.charCodeAt(end - 1) & 0xfc00) === 0xd800;
  return isHigh ? end - 1 : end;
}

/** Words for whatever was thrown. */
function describe(thrown: unknown): string {
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  try {
    return `thrown: ${typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown))}`;
  } catch {
    return 'thrown: something that cannot be written down';
  }
}

function saysFinal(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false
  );
}
