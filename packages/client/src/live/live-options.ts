import type { Environment } from '../environment.ts';
import type { LocksLike } from '../shared/web-locks.ts';
import type { Backoff } from './backoff.ts';

/** How a store deals with changes, failures and other tabs. */
export interface LiveStoreOptions {
  readonly backoff?: Partial<Backoff>;
  /** Changes that may wait for the server; more are refused with `queue_full`. @defaultValue 100 */
  readonly maxChanges?: number;
  /** How long a change is tried before it is taken back. @defaultValue 60000 */
  readonly changeTimeoutMs?: number;
  /** @defaultValue the platform's Web Locks */
  readonly locks?: LocksLike;
  /** @defaultValue `createEnvironment()` */
  readonly environment?: Environment;
}

export interface BaseChange<State, Event> {
  readonly previous: State | undefined;
  /** What was read as a whole, before `events` were joined to it; undefined when only those came. */
  readonly read: State | undefined;
  /** Events that were joined to it; some of those may have been told of before when it was `read`. */
  readonly events: readonly Event[];
}

/** The feature's part beside the source. */
export interface LiveStoreHooks<State, Event> {
  /** Names what the tabs of a browser share, with the user; undefined: nothing is shared. */
  readonly circleName: () => Promise<string | undefined>;
  /** What the server told has changed. */
  readonly onBase?: (state: State, change: BaseChange<State, Event>) => void;
  /** This tab speaks for the browser and is up to date, or is not any more. */
  readonly onLead?: (isLead: boolean) => void;
}
