import { type Client, createClientOver } from '../client.ts';
import { DirectWire } from '../direct-wire.ts';
import { baseOf, type ClientOptions } from '../options.ts';
import { SharedWire } from './shared-wire.ts';
import { type LocksLike, platformLocks } from './web-locks.ts';

/** Options of a client whose connection all tabs share. */
export interface SharedClientOptions extends ClientOptions {
  /**
   * Whose connection it is. Only tabs of the same user share one, so that nobody hears what was meant
   * for another who used the same browser. @defaultValue ''
   */
  readonly user?: string;
  /**
   * Starts the worker that holds the connection, where the platform has shared workers; elsewhere, and
   * when this is absent or fails, the tabs elect one of themselves. The worker's only line is
   * `import '@holdfast/client/shared-worker'`.
   *
   * @example
   * ```ts
   * worker: (name) =>
   *   new SharedWorker(new URL('./holdfast-worker.js', import.meta.url), { type: 'module', name })
   * ```
   */
  readonly worker?: (name: string) => unknown;
  /** @defaultValue the platform's Web Locks */
  readonly locks?: LocksLike;
}

/**
 * A client that shares one physical connection with all tabs of this origin and user. Without Web
 * Locks or BroadcastChannel (Node; pages without TLS other than localhost) it has its own connection.
 *
 * `disconnect` ends this tab's part; `setToken` is for all of them.
 */
export function createSharedClient(options: SharedClientOptions): Client {
  const { user = '', worker, locks = platformLocks() } = options;
  if (locks === undefined || typeof BroadcastChannel === 'undefined') {
    return createClientOver((resolved, events) => new DirectWire(resolved, events), options);
  }
  const hasWorkers = 'SharedWorker' in globalThis;
  const sharing = {
    key: JSON.stringify([baseOf(options.url), user]),
    locks,
    startWorker: hasWorkers ? worker : undefined,
  };
  return createClientOver((resolved, events) => new SharedWire(sharing, resolved, events), options);
}
