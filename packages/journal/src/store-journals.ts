import type { HubJournals } from '@holdfast/hub';
import type { Store } from '@holdfast/store';
import { cleanUpJob } from './clean-up.ts';
import type { JournalTables } from './journal-module.ts';
import { StoreJournal } from './store-journal.ts';

export interface StoreJournalsOptions {
  /**
   * Whose streams and maps these are. Servers that share a database without sharing a broker each have
   * their own; of two with the same name the one that came first can no longer write.
   */
  readonly node: string;
}

/**
 * The journals of one hub in a store that was opened with {@link journalModule}.
 *
 * @example
 * ```ts
 * const store = await openStore({ url: 'sqlite:./data/holdfast.db', modules: [journalModule] });
 * const hub = createHub({ journals: createStoreJournals(store, { node: 'a' }), channel });
 * ```
 */
export function createStoreJournals(
  store: Store<JournalTables>,
  { node }: StoreJournalsOptions,
): HubJournals {
  store.retention.add(cleanUpJob(store.dialect));
  return {
    streams: new StoreJournal(store, `${node} streams`),
    maps: new StoreJournal(store, `${node} maps`),
  };
}
