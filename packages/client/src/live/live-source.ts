import type { Position } from '../wire.ts';

/** A state as the server told it, and where its events go on. */
export interface Loaded<State> {
  readonly state: State;
  /** Null when nothing continues it: it has to be read again. */
  readonly channel: string | null;
  /** Every event up to here is contained in `state`; later ones may be. Null where channels have none. */
  readonly position: Position | null;
}

/**
 * What a {@link LiveStore} needs to know of a feature. `State`, `Change` and `Receipt` are plain data:
 * they are sent to other tabs. All functions but `load` and `send` are pure.
 */
export interface LiveSource<State, Event, Change, Receipt> {
  /**
   * Reads everything anew.
   * @param known - the state that is shown, when there is one
   * @throws ClientError whose `retryable` says whether it is tried again
   */
  load(known: State | undefined, signal: AbortSignal): Promise<Loaded<State>>;
  /**
   * The state after an event: the same object when the state contains the event already, undefined
   * when something between the two is missing, so that everything has to be read anew.
   */
  apply(state: State, event: Event): State | undefined;
  /** The state as it will be once a change is carried out; idempotent. */
  overlay(state: State, change: Change): State;
  /** Carries out a change on the server. Repeated until there is an answer: it must be idempotent. */
  send(change: Change, signal: AbortSignal): Promise<Receipt>;
  /** Whether the state contains a change that was carried out. */
  contains(state: State, receipt: Receipt): boolean;
  /**
   * Whether what another tab has read will do in place of reading: it leaves out nothing that `load`
   * with `known` would bring.
   */
  isEnough(known: State | undefined, read: State): boolean;
  /** The same for states that can take each other's place in different tabs, such as one filter. */
  viewOf(): string;
}
