import type { Environment } from '../environment.ts';
import type { Watch, WatchState } from './live-watch.ts';

/** What runs behind the handles of one key. */
interface Running<Snapshot> {
  getSnapshot(): Snapshot;
  subscribe(listener: () => void): () => void;
  retry(): void;
  readonly isUsed: boolean;
  close(): void;
}

/**
 * Gives any number of handles for a key, behind which one watch runs as long as somebody listens. It
 * ends a moment after the last listener went away, so that a component that is unmounted and mounted
 * again keeps what it shows.
 */
export class SharedWatches<Snapshot extends WatchState, Live extends Running<Snapshot>> {
  readonly #environment: Pick<Environment, 'after'>;
  readonly #running = new Map<string, Live>();
  #isClosed = false;

  constructor(environment: Pick<Environment, 'after'>) {
    this.#environment = environment;
  }

  /** @param how.idle what is shown while nothing runs */
  handle(
    key: string,
    { idle, create }: { readonly idle: Snapshot; readonly create: () => Live },
  ): Watch<Snapshot> {
    return {
      getSnapshot: () => this.#running.get(key)?.getSnapshot() ?? idle,
      getServerSnapshot: () => idle,
      subscribe: (listener) => {
        if (this.#isClosed) return () => undefined;
        const live = this.#running.get(key) ?? create();
        this.#running.set(key, live);
        const stop = live.subscribe(listener);
        return () => {
          stop();
          this.#environment.after(0, () => this.#endUnused(key, live));
        };
      },
      retry: () => this.#running.get(key)?.retry(),
    };
  }

  running(key: string): Live | undefined {
    return this.#running.get(key);
  }

  all(): readonly Live[] {
    return [...this.#running.values()];
  }

  close(): void {
    this.#isClosed = true;
    for (const live of this.#running.values()) live.close();
    this.#running.clear();
  }

  #endUnused(key: string, live: Live): void {
    if (live.isUsed || this.#running.get(key) !== live) return;
    this.#running.delete(key);
    live.close();
  }
}
