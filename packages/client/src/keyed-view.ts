import { deliver } from './deliver.ts';
import type { Entry, EntryChange } from './keyed.ts';
import { nextState, type SubscriptionState, unsubscribedState } from './subscription.ts';
import type { KeyedEvent } from './wire.ts';

export interface KeyedListeners {
  readonly onSync?: (entries: ReadonlyMap<string, Entry<never>>) => void;
  readonly onChange?: (change: EntryChange<never>) => void;
}

/** One use of a channel with keys. */
export interface KeyedUse {
  readonly told: KeyedListeners;
  /** Those that it tracks; undefined: all that there are. */
  readonly keys: Set<string> | undefined;
  notify(): void;
}

/** The entries of a channel, as the events about them have it, for all its uses. */
export class KeyedView {
  readonly uses: Set<KeyedUse> = new Set<KeyedUse>();
  state: SubscriptionState = { ...unsubscribedState, status: 'subscribing' };
  entries: ReadonlyMap<string, Entry> = new Map();
  #isSynced = false;

  /** A use that comes later is given the whole map as well. */
  add(use: KeyedUse): void {
    this.uses.add(use);
    if (!this.#isSynced) return;
    queueMicrotask(() => {
      if (this.uses.has(use)) this.#tellAll(use);
    });
  }

  handle(event: KeyedEvent): void {
    if (event.type === 'sync') {
      this.entries = new Map(event.entries.map((entry) => [entry.key, entry]));
      this.#isSynced = true;
      for (const use of this.uses) this.#tellAll(use);
    } else if (event.type === 'change') {
      const { change, offset } = event;
      const { position } = this.state;
      if (offset !== undefined && position !== undefined) {
        this.state = { ...this.state, position: { ...position, offset } };
      }
      this.#change(change);
    } else if (event.type === 'reset') {
      for (const key of this.entries.keys()) this.#change({ key, entry: undefined });
    } else {
      this.state = nextState(this.state, event);
    }
    this.#notify();
  }

  isTracked(key: string): boolean {
    return [...this.uses].some(({ keys }) => keys?.has(key) === true);
  }

  /** The entries that a use has asked for. */
  entriesFor({ keys }: KeyedUse): ReadonlyMap<string, Entry> {
    if (keys === undefined) return this.entries;
    return new Map([...this.entries].filter(([key]) => keys.has(key)));
  }

  /** Keys that nobody tracks any more. */
  forget(keys: readonly string[]): void {
    for (const key of keys) this.#set({ key, entry: undefined });
    this.#notify();
  }

  #change(change: EntryChange): void {
    this.#set(change);
    for (const { keys, told } of this.uses) {
      if (keys?.has(change.key) === false) continue;
      deliver(() => told.onChange?.(change as EntryChange<never>));
    }
  }

  #set({ key, entry }: EntryChange): void {
    const entries = new Map(this.entries);
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
    this.entries = entries;
  }

  #tellAll({ told }: KeyedUse): void {
    deliver(() => told.onSync?.(this.entries as ReadonlyMap<string, Entry<never>>));
  }

  #notify(): void {
    for (const use of this.uses) deliver(() => use.notify());
  }
}
