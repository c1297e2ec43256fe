import { deliver } from './deliver.ts';
import type { Entry, EntryChange } from './keyed.ts';
import { nextState, type SubscriptionState, unsubscribedState } from './subscription.ts';
import type { KeyedEvent } from './wire.ts';

export interface KeyedListeners {
  readonly onSync?: (entries: ReadonlyMap<string, Entry<never>>) => void;
  readonly onChange?: (change: EntryChange<never>) => void;
}

/** The entries of a channel, as the events about them have it. */
export class KeyedView {
  state: SubscriptionState = { ...unsubscribedState, status: 'subscribing' };
  entries: ReadonlyMap<string, Entry> = new Map();
  readonly #listeners = new Set<() => void>();
  readonly #told: KeyedListeners;

  constructor(told: KeyedListeners) {
    this.#told = told;
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  handle(event: KeyedEvent): void {
    const { onSync, onChange } = this.#told;
    if (event.type === 'sync') {
      this.entries = new Map(event.entries.map((entry) => [entry.key, entry]));
      deliver(() => onSync?.(this.entries as ReadonlyMap<string, Entry<never>>));
    } else if (event.type === 'change') {
      const { key, entry } = event.change;
      const entries = new Map(this.entries);
      if (entry === undefined) entries.delete(key);
      else entries.set(key, entry);
      this.entries = entries;
      deliver(() => onChange?.(event.change as EntryChange<never>));
    } else {
      this.state = nextState(this.state, event);
    }
    for (const listener of this.#listeners) deliver(listener);
  }
}
