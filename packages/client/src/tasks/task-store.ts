import type { TaskEvent } from '@holdfast/protocol/tasks';
import type { Client } from '../client.ts';
import { ClientError } from '../client-error.ts';
import { createEnvironment, type Environment } from '../environment.ts';
import { type Backoff, defaultBackoff, pauseMs } from '../live/backoff.ts';
import type { LiveStoreOptions } from '../live/live-options.ts';
import type { UserApi } from '../user-api.ts';
import { LiveWatch, type LiveWatchOptions, type Watch } from './live-watch.ts';
import { appliedToOutput, type OutputState } from './output-state.ts';
import { ServerClock } from './server-clock.ts';
import { SharedWatches } from './shared-watches.ts';
import {
  idleList,
  idleOutput,
  idleTask,
  type OutputSnapshot,
  type Shown,
  shownList,
  shownOutput,
  shownTask,
  type TaskListSnapshot,
  type TaskSnapshot,
} from './task-snapshots.ts';
import { TaskApi, type TaskAnswer, type TaskRequest } from './task-api.ts';
import {
  appliedToList,
  listContains,
  maxItems,
  overlaidList,
  type TaskFilter,
  type TaskListState,
  withTasks,
} from './task-list-state.ts';
import {
  appliedToTask,
  overlaidTask,
  taskContains,
  type TaskChange,
  type TaskReceipt,
  type TaskState,
} from './task-state.ts';

/** What a task store is made of. `client` and `api` are needed. */
export interface TaskStoreOptions extends LiveStoreOptions {
  /** Connects by itself; the store follows it and never closes it. */
  readonly client: Pick<Client, 'subscribe' | 'state' | 'onChange'>;
  readonly api: UserApi;
  /** Where the user's tasks are below the server's URL. @defaultValue '/api/tasks/me' */
  readonly path?: string;
  /** How often a watched task is read while there is no live connection. @defaultValue 5000 */
  readonly pollMs?: number;
}

/** Follows one task. */
export type TaskWatch = Watch<TaskSnapshot>;
/** Follows the output of one task. */
export type OutputWatch = Watch<OutputSnapshot>;
/** Follows the user's tasks. */
export interface TaskListWatch extends Watch<TaskListSnapshot> {
  /** Reads the next page. Does nothing when there is none. */
  loadMore(): Promise<void>;
}

/** Which tasks are in a list. */
export interface ListOptions extends TaskFilter {
  /** Tasks of the first page, at most 200. @defaultValue 20 */
  readonly pageSize?: number;
}

/** How much of a task's output is held. */
export interface OutputOptions {
  /** All of it, or only what comes from now on. @defaultValue 'start' */
  readonly from?: 'start' | 'now';
  /** Characters that are held; the oldest chunks are let go beyond it. @defaultValue 1048576 */
  readonly maxSize?: number;
}

/**
 * The user's tasks in this page. Watches with the same arguments share one reading and one
 * subscription. Whatever happens to the connection, a watched task stops looking as if it went on when
 * the time is over that the server said it for.
 */
export interface TaskStore {
  watchTask(id: string): TaskWatch;
  watchTasks(options?: ListOptions): TaskListWatch;
  watchOutput(id: string, options?: OutputOptions): OutputWatch;
  /**
   * Asks for work. Tried again for a minute when the server cannot be reached; makes one task however
   * often it is sent.
   * @throws {@link ClientError}
   */
  request(request: TaskRequest): Promise<TaskAnswer>;
  /** Asks for the work of a task that is over once more, as a new task. @throws {@link ClientError} */
  retry(id: string): Promise<TaskAnswer>;
  /**
   * Asks a task to stop. Shown at once wherever it is watched, tried again for a minute, and taken
   * back when it fails.
   * @throws {@link ClientError}
   */
  cancel(id: string): Promise<void>;
  /** Deletes a task that is over; as `cancel`. @throws {@link ClientError} */
  remove(id: string): Promise<void>;
  /** The server's time, as far as it is known: Unix milliseconds. */
  now(): number;
  /** Ends everything. */
  close(): void;
}

const requestPatienceMs = 60_000;

/**
 * Makes the store of the user whose token `api` has. It reads and subscribes only what is watched.
 *
 * @example
 * ```ts
 * const tasks = createTaskStore({ client, api: createUserApi({ url, getToken }) });
 * const { id } = await tasks.request({ kind: 'report', payload: { month: '2026-11' } });
 * const watch = tasks.watchTask(id);
 * watch.subscribe(() => render(watch.getSnapshot().task));
 * ```
 */
export function createTaskStore(options: TaskStoreOptions): TaskStore {
  return new LiveTasks(options);
}

type TaskLive = LiveWatch<TaskState, TaskEvent, TaskChange, TaskReceipt, Shown<TaskSnapshot>>;
type ListLive = LiveWatch<
  TaskListState,
  TaskEvent,
  TaskChange,
  TaskReceipt,
  Shown<TaskListSnapshot>
>;
type OutputLive = LiveWatch<OutputState, TaskEvent, never, never, Shown<OutputSnapshot>>;

class LiveTasks implements TaskStore {
  readonly #api: TaskApi;
  readonly #environment: Environment;
  readonly #clock: ServerClock;
  readonly #backoff: Backoff;
  readonly #watchOptions: LiveWatchOptions;
  readonly #closed = new AbortController();
  readonly #tasks: SharedWatches<TaskSnapshot, TaskLive>;
  readonly #lists: SharedWatches<TaskListSnapshot, ListLive>;
  readonly #outputs: SharedWatches<OutputSnapshot, OutputLive>;

  constructor(options: TaskStoreOptions) {
    const { path = '/api/tasks/me', pollMs = 5000 } = options;
    this.#environment = options.environment ?? createEnvironment();
    this.#clock = new ServerClock(this.#environment);
    this.#api = new TaskApi(options.api, { path, clock: this.#clock });
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#watchOptions = {
      ...options,
      environment: this.#environment,
      clock: this.#clock,
      pollMs,
    };
    this.#tasks = new SharedWatches(this.#environment);
    this.#lists = new SharedWatches(this.#environment);
    this.#outputs = new SharedWatches(this.#environment);
  }

  watchTask(id: string): TaskWatch {
    return this.#tasks.handle(id, {
      idle: idleTask,
      create: () =>
        new LiveWatch(
          {
            load: (_known, signal) => this.#api.loadTask(id, signal),
            apply: (state, event: TaskEvent) => appliedToTask(state, this.#heard(event)),
            overlay: overlaidTask,
            send: (change, signal) => this.#api.change(change, signal),
            contains: taskContains,
            shown: shownTask,
            needsNews: ({ task, isDeleted }) => !task.isOver && !isDeleted,
            expiresAt: ({ task }) => task.expiresAt,
            isBehind: ({ isBehind }) => isBehind,
          },
          this.#watchOptions,
        ),
    });
  }

  watchTasks({ pageSize = 20, kind, phase }: ListOptions = {}): TaskListWatch {
    const filter = {
      ...(kind === undefined ? {} : { kind }),
      ...(phase === undefined ? {} : { phase }),
    };
    const key = JSON.stringify([filter.kind, filter.phase, pageSize]);
    const handle = this.#lists.handle(key, {
      idle: idleList,
      create: () => this.#createList(filter, pageSize),
    });
    return {
      ...handle,
      loadMore: async () => {
        const { live } = this.#lists.running(key) ?? {};
        const { nextCursor: cursor, items = [] } = live?.base ?? {};
        if (live === undefined || cursor === null || cursor === undefined) return;
        const limit = Math.min(pageSize, maxItems - items.length);
        if (limit <= 0) return;
        await live.extend(
          (_state, signal) => this.#api.page({ filter, cursor, limit }, signal),
          (state, page, events) => withTasks(state, page, events),
        );
      },
    };
  }

  watchOutput(
    id: string,
    { from = 'start', maxSize = 1_048_576 }: OutputOptions = {},
  ): OutputWatch {
    return this.#outputs.handle(JSON.stringify([id, from, maxSize]), {
      idle: idleOutput,
      create: () =>
        new LiveWatch<OutputState, TaskEvent, never, never, Shown<OutputSnapshot>>(
          {
            load: (known, signal) => this.#api.loadOutput({ id, known, from, maxSize }, signal),
            apply: (state, event) => appliedToOutput(state, this.#heard(event), maxSize),
            overlay: (state) => state,
            send: () => Promise.reject(new ClientError('misused', 'output cannot be changed')),
            contains: () => true,
            shown: shownOutput,
            needsNews: ({ isOver }) => !isOver,
            expiresAt: () => null,
            isBehind: () => false,
          },
          this.#watchOptions,
        ),
    });
  }

  async request(request: TaskRequest): Promise<TaskAnswer> {
    const idempotencyKey = request.idempotencyKey ?? newKey();
    return this.#persistently((signal) =>
      this.#api.request({ ...request, idempotencyKey }, signal),
    );
  }

  retry(id: string): Promise<TaskAnswer> {
    return this.#api.retry(id, this.#closed.signal);
  }

  cancel(id: string): Promise<void> {
    return this.#change({ type: 'cancel', id });
  }

  remove(id: string): Promise<void> {
    return this.#change({ type: 'delete', id });
  }

  now(): number {
    return this.#clock.now();
  }

  close(): void {
    this.#closed.abort();
    this.#tasks.close();
    this.#lists.close();
    this.#outputs.close();
  }

  #createList(filter: TaskFilter, pageSize: number): ListLive {
    return new LiveWatch(
      {
        load: (known, signal) => this.#api.loadList({ filter, pageSize, known }, signal),
        apply: (state, event: TaskEvent) => appliedToList(state, this.#heard(event)),
        overlay: overlaidList,
        send: (change, signal) => this.#api.change(change, signal),
        contains: listContains,
        shown: shownList,
        needsNews: () => true,
        expiresAt: ({ items }) => earliest(items.map(({ expiresAt }) => expiresAt)),
        isBehind: () => false,
      },
      this.#watchOptions,
    );
  }

  /** Shown in every watch that has the task; carried out once for each, which changes nothing more. */
  async #change(change: TaskChange): Promise<void> {
    const watches = [
      this.#tasks.running(change.id),
      ...this.#lists
        .all()
        .filter(({ live }) => live.base?.items.some(({ id }) => id === change.id)),
    ].filter((watch) => watch !== undefined);
    if (watches.length === 0) {
      await this.#persistently((signal) => this.#api.change(change, signal));
      return;
    }
    await Promise.all(watches.map((watch) => watch.change(change)));
  }

  #heard(event: TaskEvent): TaskEvent {
    if (event.type === 'task') this.#clock.heard(event.task.now);
    return event;
  }

  async #persistently<Answer>(send: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const { signal } = this.#closed;
    const until = this.#environment.now() + requestPatienceMs;
    for (let attempt = 0; ; attempt += 1) {
      let failure: unknown;
      try {
        return await send(signal);
      } catch (error) {
        failure = error;
        const isHopeless = !(error instanceof ClientError) || !error.retryable;
        if (isHopeless || signal.aborted || this.#environment.now() >= until) throw error;
      }
      const environment = this.#environment;
      const waitMs = pauseMs(attempt, { backoff: this.#backoff, environment, error: failure });
      await new Promise<void>((resolve) => environment.after(waitMs, resolve));
    }
  }
}

function earliest(times: readonly (number | null)[]): number | null {
  return times.reduce((least, time) => {
    if (time === null) return least;
    return least === null ? time : Math.min(least, time);
  }, null);
}

/** `randomUUID` does not exist in pages without TLS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
