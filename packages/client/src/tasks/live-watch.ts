import type { Client } from '../client.ts';
import type { ClientError } from '../client-error.ts';
import { deliver } from '../deliver.ts';
import type { Environment } from '../environment.ts';
import type { LiveSource } from '../live/live-source.ts';
import type { LiveStoreOptions } from '../live/live-options.ts';
import { LiveStore, type LiveStatus } from '../live/live-store.ts';
import type { ServerClock } from './server-clock.ts';

/** What all watches tell beside what they watch. */
export interface WatchState {
  /**
   * `loading`: nothing yet. `live`: as on the server. `stale`: what was known last, read again and
   * again while there is no live connection. `polled`: this user may read but not follow, so that it is
   * read in intervals. `failed`: trying again is useless until `retry()`.
   */
  readonly status: LiveStatus | 'polled';
  readonly problem: ClientError | undefined;
}

/** Something that is watched as long as somebody listens. */
export interface Watch<Snapshot extends WatchState> {
  /** The same object until something changes. */
  readonly getSnapshot: () => Snapshot;
  /** What a server renders, and a page while it takes over from it: nothing yet. */
  readonly getServerSnapshot: () => Snapshot;
  /**
   * Calls `listener` after each change, until the returned function is called. The first one begins to
   * watch, the last one that goes away ends it.
   */
  readonly subscribe: (listener: () => void) => () => void;
  /** Tries at once what waits for its next attempt, and what was given up. */
  readonly retry: () => void;
}

/** What a watch of tasks needs to know of what it watches. All functions are pure. */
export interface WatchedSource<State, Event, Change, Receipt, Shown> extends Omit<
  LiveSource<State, Event, Change, Receipt>,
  'isEnough' | 'viewOf'
> {
  /** What is to be shown at a time of the server. */
  shown(state: State | undefined, now: number): Shown;
  /** Whether anything can still happen to it. */
  needsNews(state: State): boolean;
  /** Until when the state is good without hearing more, by the server's clock; null for ever. */
  expiresAt(state: State): number | null;
  /** The state knows that it is not whole. */
  isBehind(state: State): boolean;
}

export interface LiveWatchOptions extends LiveStoreOptions {
  readonly client: Pick<Client, 'subscribe' | 'state' | 'onChange'>;
  readonly environment: Environment;
  readonly clock: ServerClock;
  /** How often the state is read while no live connection brings it. */
  readonly pollMs: number;
}

/** A state that is past its end is read again so often. */
const recheckMs = 1000;
/** Clocks of pages stop and jump: they are looked at again at least so often. */
const longestWaitMs = 60_000;

/**
 * A {@link LiveStore} whose state ends by itself; `live-watch.spec.md` has the rules. When its time is over it is shown so, with or
 * without a connection, and read again; without a live connection it is read in intervals.
 */
export class LiveWatch<State, Event, Change, Receipt, Shown extends object> {
  readonly #live: LiveStore<State, Event, Change, Receipt>;
  readonly #source: WatchedSource<State, Event, Change, Receipt, Shown>;
  readonly #options: LiveWatchOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stopSignals: () => void;
  #snapshot: WatchState & Shown;
  #cancelTimer: () => void = () => undefined;
  #readAt = -Infinity;
  /** The server does not let this user follow. Stays so while it is read and asked once more. */
  #isPolled = false;

  constructor(
    source: WatchedSource<State, Event, Change, Receipt, Shown>,
    options: LiveWatchOptions,
  ) {
    this.#source = source;
    this.#options = options;
    this.#live = new LiveStore<State, Event, Change, Receipt>(
      options.client,
      { ...source, isEnough: () => false, viewOf: () => '' },
      {
        ...options,
        hooks: {
          // Tabs watch on their own: what they load is small, and each shows something else.
          circleName: () => Promise.resolve(undefined),
          onBase: (state) => {
            if (source.isBehind(state)) this.#live.reset(state);
          },
        },
      },
    );
    this.#snapshot = this.#made();
    this.#live.onChange(() => this.#look());
    this.#stopSignals = options.environment.onSignal((signal) => {
      if (signal === 'wake' || signal === 'resume') this.#look();
    });
    this.#live.start();
  }

  get live(): LiveStore<State, Event, Change, Receipt> {
    return this.#live;
  }

  getSnapshot(): WatchState & Shown {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  get isUsed(): boolean {
    return this.#listeners.size > 0;
  }

  change(change: Change): Promise<void> {
    return this.#live.change(change);
  }

  retry(): void {
    this.#live.retry();
  }

  close(): void {
    this.#cancelTimer();
    this.#stopSignals();
    this.#live.close();
    this.#listeners.clear();
  }

  /** Shows what is true now, and comes back when that may change by itself. */
  #look(): void {
    this.#cancelTimer();
    const next = this.#made();
    if (!isSame(this.#snapshot, next)) {
      this.#snapshot = next;
      for (const listener of this.#listeners) deliver(listener);
    }
    const state = this.#live.base;
    if (state === undefined || !this.#source.needsNews(state)) return;
    this.#cancelTimer = this.#options.environment.after(this.#waitMs(state), () => {
      if (this.#isDue(state)) this.#readAgain();
      this.#look();
    });
  }

  #waitMs(state: State): number {
    const { clock, environment, pollMs } = this.#options;
    const leftMs = (this.#source.expiresAt(state) ?? Infinity) - clock.now();
    const pauseMs = this.#live.snapshot.status === 'live' ? longestWaitMs : pollMs;
    if (leftMs > 0) return Math.min(leftMs, pauseMs);
    const sinceMs = environment.now() - this.#readAt;
    return sinceMs >= 0 && sinceMs < recheckMs ? recheckMs - sinceMs : 0;
  }

  #isDue(state: State): boolean {
    const expiresAt = this.#source.expiresAt(state) ?? Infinity;
    return this.#live.snapshot.status !== 'live' || expiresAt <= this.#options.clock.now();
  }

  #readAgain(): void {
    this.#readAt = this.#options.environment.now();
    if (this.#live.snapshot.status !== 'failed') this.#live.reset(this.#live.base);
    else if (!this.#isFinal()) this.#live.retry();
  }

  /** The server said no to reading. When it says no to following only, reading goes on. */
  #isFinal(): boolean {
    const { problem } = this.#live.snapshot;
    return problem?.details.status !== undefined;
  }

  #made(): WatchState & Shown {
    const { status, state, problem } = this.#live.snapshot;
    const shown = this.#source.shown(state, this.#options.clock.now());
    this.#isPolled =
      state !== undefined &&
      (status === 'failed' ? !this.#isFinal() : this.#isPolled && status !== 'live');
    return { ...shown, status: this.#isPolled ? 'polled' : status, problem };
  }
}

function isSame(one: object, other: object): boolean {
  return Object.entries(other).every(
    ([name, value]) => (one as Record<string, unknown>)[name] === value,
  );
}
