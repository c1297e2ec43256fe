import type { OutputChunk, TaskDetails, TaskView } from '@holdfast/protocol/tasks';
import { ClientError } from '../client-error.ts';
import type { Loaded } from '../live/live-source.ts';
import type { UserApi } from '../user-api.ts';
import type { Position } from '../wire.ts';
import { noOutput, type OutputState, withChunks } from './output-state.ts';
import type { ServerClock } from './server-clock.ts';
import { maxItems, type TaskFilter, type TaskListState } from './task-list-state.ts';
import type { TaskChange, TaskReceipt, TaskState } from './task-state.ts';

/** Asks for work of a kind that is open to users. */
export interface TaskRequest {
  readonly kind: string;
  /** Anything that JSON can say. */
  readonly payload?: unknown;
  /** Requests of one kind and key share work. */
  readonly key?: string;
  /** @defaultValue a new one, so that trying again makes no second task */
  readonly idempotencyKey?: string;
  /** Starts now, whatever has the key. */
  readonly force?: boolean;
}

/** What became of a request. */
export interface TaskAnswer {
  readonly id: string;
  /** A new task, one that follows the running one of its key, or one that waits already. */
  readonly outcome: 'started' | 'queued' | 'joined';
  readonly task: TaskView;
}

interface ListPage {
  readonly items: readonly TaskView[];
  readonly nextCursor: string | null;
  readonly now: number;
  readonly channel: string | null;
  readonly position: Position | null;
}

interface OutputPage {
  readonly chunks: readonly OutputChunk[];
  readonly seq: number;
  readonly refused: number;
  readonly isOver: boolean;
  readonly channel: string | null;
  readonly position: Position | null;
}

/** Most that the server gives in one page. */
const maxPage = 200;

/** The user's operations on tasks, as calls. Tells the clock the server's time from each answer. */
export class TaskApi {
  readonly #api: UserApi;
  readonly #path: string;
  readonly #clock: ServerClock;

  constructor(
    api: UserApi,
    { path, clock }: { readonly path: string; readonly clock: ServerClock },
  ) {
    this.#api = api;
    this.#path = path;
    this.#clock = clock;
  }

  async loadTask(id: string, signal: AbortSignal): Promise<Loaded<TaskState>> {
    const askedAt = this.#clock.asked();
    const answer = (await this.#api.request({ path: this.#of(id), signal })) as {
      readonly task: TaskView & TaskDetails;
      readonly channel: string | null;
      readonly position: Position | null;
    };
    const { task, channel, position } = answer;
    this.#clock.answered(task.now, askedAt);
    return { state: { task, isDeleted: false, isBehind: false }, channel, position };
  }

  /** Reads as many as are known already, so that nothing that is shown goes away. */
  async loadList(
    list: {
      readonly filter: TaskFilter;
      readonly pageSize: number;
      readonly known: TaskListState | undefined;
    },
    signal: AbortSignal,
  ): Promise<Loaded<TaskListState>> {
    const { filter, pageSize, known } = list;
    const wanted = Math.min(Math.max(known?.items.length ?? 0, pageSize), maxItems);
    const first = await this.page({ filter, limit: Math.min(wanted, maxPage) }, signal);
    const items = [...first.items];
    let { nextCursor } = first;
    while (nextCursor !== null && items.length < wanted) {
      const limit = Math.min(wanted - items.length, maxPage);
      const page = await this.page({ filter, cursor: nextCursor, limit }, signal);
      items.push(...page.items);
      nextCursor = page.nextCursor;
    }
    const { channel, position } = first;
    return { state: { filter, items, nextCursor }, channel, position };
  }

  async page(
    {
      filter,
      ...query
    }: { readonly filter: TaskFilter; readonly cursor?: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<ListPage> {
    const askedAt = this.#clock.asked();
    const page = (await this.#api.request({
      path: this.#path,
      query: { ...filter, ...query },
      signal,
    })) as ListPage;
    this.#clock.answered(page.now, askedAt);
    return page;
  }

  /** Reads what is missing of the output, to its end. */
  async loadOutput(
    output: {
      readonly id: string;
      readonly known: OutputState | undefined;
      readonly from: 'start' | 'now';
      readonly maxSize: number;
    },
    signal: AbortSignal,
  ): Promise<Loaded<OutputState>> {
    const { id, known, from, maxSize } = output;
    const path = `${this.#of(id)}/output`;
    const read = async (after: number): Promise<OutputPage> =>
      (await this.#api.request({ path, query: { after, limit: 1000 }, signal })) as OutputPage;
    // Nothing is after the end: what is answered is where that is.
    const startsNow = known === undefined && from === 'now';
    const first = await read(startsNow ? Number.MAX_SAFE_INTEGER : (known?.seq ?? 0));
    let state = known ?? noOutput(id, startsNow ? first.seq : 0);
    let page = first;
    while (page.chunks.length > 0) {
      state = withChunks(state, page.chunks, maxSize) ?? state;
      if (state.seq >= page.seq) break;
      page = await read(state.seq);
    }
    const { channel, position } = first;
    return { state: { ...state, refused: page.refused, isOver: page.isOver }, channel, position };
  }

  /** Deleting what is gone already is done. */
  async change(change: TaskChange, signal: AbortSignal): Promise<TaskReceipt> {
    const { id } = change;
    if (change.type === 'cancel') {
      const path = `${this.#of(id)}/cancel`;
      const task = (await this.#api.request({ path, method: 'POST', signal })) as TaskView;
      return { id, version: task.version };
    }
    try {
      await this.#api.request({ path: this.#of(id), method: 'DELETE', signal });
    } catch (error) {
      if (!(error instanceof ClientError) || error.details.status !== 404) throw error;
    }
    return { id, version: null };
  }

  async request(request: TaskRequest, signal: AbortSignal): Promise<TaskAnswer> {
    return (await this.#api.request({ path: this.#path, body: request, signal })) as TaskAnswer;
  }

  async retry(id: string, signal: AbortSignal): Promise<TaskAnswer> {
    const path = `${this.#of(id)}/retry`;
    return (await this.#api.request({ path, method: 'POST', signal })) as TaskAnswer;
  }

  #of(id: string): string {
    return `${this.#path}/${encodeURIComponent(id)}`;
  }
}
