import type { TaskView } from '@holdfast/protocol/tasks';
import { listAudit } from './doctor.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskAuditTable } from './task-module.ts';
import {
  findStarvedKinds,
  listTasks,
  readOutput,
  readTask,
  type OutputPage,
  type StarvedKind,
  type TaskFilter,
  type TaskPage,
  type TaskSnapshot,
} from './task-reads.ts';
import { listWorkers, type WorkerView } from './worker-registry.ts';

/** Where a channel stands, as the hub says it. */
export interface ChannelPosition {
  readonly offset: number;
  readonly epoch: string;
}

/** A snapshot, and where to go on from it. */
export interface Continued<T> {
  /** Null for none: read again instead. */
  readonly channel: string | null;
  /** Events after it continue the snapshot; events of the same or a lower version change nothing. */
  readonly position: ChannelPosition | null;
  readonly snapshot: T;
}

/** What can be read of tasks. Nothing here changes anything. */
export abstract class TaskReader {
  readonly #position: (channel: string) => Promise<ChannelPosition | undefined>;

  constructor(position: (channel: string) => Promise<ChannelPosition | undefined>) {
    this.#position = position;
  }

  /** What this package's parts work with. */
  abstract get context(): TaskContext;

  /** Everything about a task. @throws {@link TaskError} `task_not_found` */
  get(id: string): Promise<TaskSnapshot> {
    return readTask(this.context, id);
  }

  /** Newest first. */
  async list(filter: TaskFilter = {}): Promise<readonly TaskView[]> {
    return (await listTasks(this.context, filter)).items;
  }

  /** Newest first, with what is needed to go on. */
  page(filter: TaskFilter = {}): Promise<TaskPage> {
    return listTasks(this.context, filter);
  }

  /** A task with the position of its channel: what happens later is after that position. */
  async snapshot(id: string): Promise<Continued<TaskSnapshot>> {
    const { owner } = await readTask(this.context, id);
    return this.#continued(this.context.channels.task({ id, owner }), () =>
      readTask(this.context, id),
    );
  }

  /** Tasks of an owner with the position of the owner's channel. */
  ownerSnapshot(
    owner: string,
    filter: Omit<TaskFilter, 'owner'> = {},
  ): Promise<Continued<TaskPage>> {
    const channel = this.context.channels.owner(owner) ?? null;
    return this.#continued(channel, () => listTasks(this.context, { ...filter, owner }));
  }

  /** A page of a task's output, from its beginning or after a number. */
  readOutput(
    id: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<OutputPage> {
    return readOutput(this.context, id, options);
  }

  /** The same with the position of the task's channel: output events after it continue the page. */
  async outputSnapshot(
    id: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<Continued<OutputPage>> {
    const { owner } = await readTask(this.context, id);
    return this.#continued(this.context.channels.task({ id, owner }), () =>
      readOutput(this.context, id, options),
    );
  }

  workers(): Promise<readonly WorkerView[]> {
    return listWorkers(this.context.store, this.context.now());
  }

  /** Kinds whose due tasks nobody alive can take: the reason of most reports that nothing moves. */
  starvedKinds(): Promise<readonly StarvedKind[]> {
    return findStarvedKinds(this.context);
  }

  /** What was repaired, newest first. */
  repairs(options: { readonly limit?: number } = {}): Promise<readonly TaskAuditTable[]> {
    return listAudit(this.context, options.limit);
  }

  async #continued<T>(channel: string | null, read: () => Promise<T>): Promise<Continued<T>> {
    // The position first: everything published up to it was committed before, so the read sees it.
    const position = channel === null ? null : ((await this.#position(channel)) ?? null);
    return { channel, position, snapshot: await read() };
  }
}
