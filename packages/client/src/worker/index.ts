/**
 * A worker on tasks, over one connection to the server.
 *
 * @module
 */
import { SocketWorker, type Worker, type WorkerOptions } from './socket-worker.ts';

export type { Worker, WorkerOptions } from './socket-worker.ts';
export type { WorkerHandler, WorkerProgress, WorkerTask, WorkerTools } from './worker-run.ts';

/**
 * Works on tasks until it is closed. It is told when there is work, so it does not poll. When its
 * connection is cut it goes on working, and when that is back it goes on writing, if its leases lasted.
 * A refused token ends the connection and is told to `onProblem`.
 *
 * @example
 * ```ts
 * const worker = startWorker({
 *   url: 'wss://example.org/connection/websocket',
 *   token: process.env.WORKER_TOKEN,
 *   kinds: {
 *     'word-count': async ({ payload }, { progress, signal }) => countWords(payload, progress, signal),
 *   },
 * });
 * process.once('SIGTERM', () => worker.close());
 * ```
 */
export function startWorker(options: WorkerOptions): Worker {
  return new SocketWorker(options);
}
