import type { FilterNode } from 'centrifuge';
import type { SubscriptionState } from './subscription.ts';
import type { ClientInfo } from './wire.ts';

/** A key of a map or of a shared poll, and what it has. */
export interface Entry<Value = unknown> {
  readonly key: string;
  readonly value: Value;
  readonly tags?: Readonly<Record<string, string>>;
  /** Present when a client wrote it. */
  readonly info?: ClientInfo;
}

/** What happened to a key: it has this entry now, or none. */
export interface EntryChange<Value = unknown> {
  readonly key: string;
  readonly entry: Entry<Value> | undefined;
}

interface KeyedOptions<Value> {
  /** Sent with the subscribe command. */
  readonly data?: unknown;
  /** Subscription token, for channels that need one. */
  readonly token?: string;
  /** Take changes of large values as deltas, where the server allows it. */
  readonly delta?: 'fossil';
  /** Called for each change of a key, in order. What it throws is thrown outside of the client. */
  readonly onChange?: (change: EntryChange<Value>) => void;
}

/** How a map is followed. */
export interface MapOptions<Value = unknown> extends KeyedOptions<Value> {
  /**
   * `clients` and `users`: who is subscribed to a channel, as the map that the server keeps of it.
   * @defaultValue 'values'
   */
  readonly of?: 'values' | 'clients' | 'users';
  /** Only entries whose tags match. Not together with `delta`. */
  readonly tagsFilter?: FilterNode;
  /** Entries of one request. @defaultValue the server's */
  readonly pageSize?: number;
  /** Called with the whole map: at first, and again when changes were missed that cannot be recovered. */
  readonly onSync?: (entries: ReadonlyMap<string, Entry<Value>>) => void;
}

/** How a shared poll is followed. */
export interface PollOptions<Value = unknown> extends KeyedOptions<Value> {
  /**
   * Gives the signature that allows to track keys, from your backend; keys that it leaves out are not
   * tracked any more, until they are asked for again. Called again when the signature has expired, and
   * when the connection has become another user's: then for all keys, of which nothing is shown before.
   */
  readonly getSignature: (
    keys: readonly string[],
  ) => Promise<{ readonly keys: readonly string[]; readonly signature: string }>;
}

/** A view of keys that is kept up to date. Neither object nor map is changed in place. */
interface KeyedView<Value> {
  readonly channel: string;
  readonly state: SubscriptionState;
  readonly entries: ReadonlyMap<string, Entry<Value>>;
  /** Calls `listener` after each change of `state` or `entries`, until the returned function is called. */
  onChange(listener: () => void): () => void;
  close(): void;
}

/** Keyed state that lives at the server. See {@link Client.subscribeMap}. */
export interface MapSubscription<Value = unknown> extends KeyedView<Value> {
  /** Writes a key; waits for a connection like `Client.publish`. */
  set(key: string, value: Value): Promise<void>;
  remove(key: string): Promise<void>;
}

/** Keys whose values the server asks the application for. See {@link Client.subscribePoll}. */
export interface PollSubscription<Value = unknown> extends KeyedView<Value> {
  track(keys: readonly string[]): void;
  untrack(keys: readonly string[]): void;
}
