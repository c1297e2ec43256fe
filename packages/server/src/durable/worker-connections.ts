import type { Hub, Logger, RpcEvent } from '@holdfast/hub';
import { type Bytes, disconnects, ReplyError, replyErrors } from '@holdfast/protocol';
import { StoreError } from '@holdfast/store';
import {
  answerWorker,
  TaskError,
  taskErrorCodes,
  workerCalls,
  type Tasks,
  type WorkerBody,
} from '@holdfast/tasks';
import { SecretComparer } from '../secret-comparer.ts';

export interface WorkerConnectionsOptions {
  /** Tokens of workers, as for the HTTP endpoints. */
  readonly tokens: readonly string[];
  /** Undefined while there are none. */
  readonly tasks: () => Tasks | undefined;
  readonly logger: Logger;
}

/** A connection of a worker. */
interface WorkerConnection {
  /** What it calls itself, once it has asked for work. */
  worker: string | undefined;
  /** Ends the watch for work, of which a connection has one. */
  watch: AbortController | undefined;
}

const methodPrefix = 'tasks.';
const renewEveryMs = 10_000;

/**
 * Lets workers work over a connection of the hub: one that says `{"holdfast_worker": token}` when it
 * connects may call `tasks.claim` and so on, with the bodies and the answers of the HTTP endpoints.
 * When a claim gave less than it asked for, the connection is told once when there may be more. Leases
 * do not belong to connections: a worker that comes back goes on with its tokens. Must be added to the
 * hub before the handlers of the application.
 * @returns the function that ends it
 */
export function serveWorkerConnections(
  hub: Pick<Hub, 'on' | 'message'>,
  options: WorkerConnectionsOptions,
): () => void {
  if (options.tokens.length === 0) return () => {};
  const comparers = options.tokens.map((token) => new SecretComparer(token));
  const connections = new Map<string, WorkerConnection>();
  const ends = [
    hub.on('connecting', ({ client, data }) => {
      const token = data === undefined ? undefined : tokenIn(data);
      if (token === undefined) return undefined;
      // All are compared, so that the time tells nothing.
      const isKnown = comparers.map((comparer) => comparer.matches(token)).includes(true);
      if (!isKnown) throw disconnects.invalidToken;
      connections.set(client, { worker: undefined, watch: undefined });
      return { user: '' };
    }),
    hub.on('rpc', async (event) => {
      const { client } = event.connection;
      const connection = connections.get(client);
      if (connection === undefined || !event.method.startsWith(methodPrefix)) return undefined;
      const tasks = options.tasks();
      if (tasks === undefined) throw replyErrors.notAvailable;
      const tell = (kinds: readonly string[]): void => {
        hub.message(client, { type: 'work', kinds });
      };
      return {
        data: Buffer.from(JSON.stringify(await answer(tasks, event, { connection, tell }))),
      };
    }),
    hub.on('disconnected', ({ connection: { client } }) => {
      connections.get(client)?.watch?.abort();
      connections.delete(client);
    }),
  ];
  const renewing = setInterval(() => {
    const workers = new Set([...connections.values()].flatMap(({ worker }) => worker ?? []));
    for (const worker of workers) {
      options
        .tasks()
        ?.renewWorker(worker)
        .catch((error: unknown) =>
          options.logger.warn({ err: error, worker }, 'a sign of life could not be written'),
        );
    }
  }, renewEveryMs);
  renewing.unref();
  return () => {
    clearInterval(renewing);
    for (const end of ends) end();
    for (const { watch } of connections.values()) watch?.abort();
    connections.clear();
  };
}

interface Caller {
  readonly connection: WorkerConnection;
  readonly tell: (kinds: readonly string[]) => void;
}

async function answer(
  tasks: Tasks,
  { method, data, signal }: RpcEvent,
  caller: Caller,
): Promise<object> {
  const call = workerCalls.find((one) => one === method.slice(methodPrefix.length));
  if (call === undefined) throw replyErrors.methodNotFound;
  const body = bodyOf(data);
  // It would hold up the commands behind it; the worker is told instead.
  const wanted = call === 'claim' ? { ...body, waitMs: 0 } : body;
  if (call === 'claim') startWatch(tasks, body, caller);
  try {
    const answered = await answerWorker(tasks, call, { body: wanted, signal });
    if (call === 'bye') caller.connection.worker = undefined;
    return answered;
  } catch (error) {
    throw toReplyError(error);
  }
}

/** Before the claim is made, so that nothing can happen between the two. */
function startWatch(tasks: Tasks, body: WorkerBody, { connection, tell }: Caller): void {
  const { kinds, worker } = body;
  if (typeof worker === 'string') connection.worker = worker;
  if (!Array.isArray(kinds) || kinds.length > 100) return;
  const names = (kinds as readonly unknown[]).filter((kind) => typeof kind === 'string');
  connection.watch?.abort();
  const watch = new AbortController();
  connection.watch = watch;
  void tellOfWork(tasks, names, { signal: watch.signal, tell });
}

async function tellOfWork(
  tasks: Tasks,
  kinds: readonly string[],
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: Caller['tell'] },
): Promise<void> {
  await tasks.awaitWork(kinds, signal);
  if (!signal.aborted) tell(kinds);
}

function toReplyError(error: unknown): unknown {
  if (error instanceof TaskError) {
    const { code, message, retryable } = error;
    return new ReplyError(taskErrorCodes[code].rpcCode, message, retryable);
  }
  if (error instanceof StoreError) {
    return new ReplyError(replyErrors.internal.code, error.message, error.retryable);
  }
  return error;
}

function bodyOf(data: Bytes | undefined): WorkerBody {
  const value = data === undefined ? undefined : jsonOf(data);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const { rpcCode } = taskErrorCodes.task_bad_request;
    throw new ReplyError(rpcCode, 'the data is not a JSON object (task_bad_request)');
  }
  return value as WorkerBody;
}

function tokenIn(data: Bytes): string | undefined {
  const value = jsonOf(data);
  if (typeof value !== 'object' || value === null || !('holdfast_worker' in value))
    return undefined;
  return typeof value.holdfast_worker === 'string' ? value.holdfast_worker : '';
}

function jsonOf(data: Bytes): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString()) as unknown;
  } catch {
    return undefined;
  }
}
