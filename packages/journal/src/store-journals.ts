import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { HubJournals } from '@holdfast/hub';
import type { Store } from '@holdfast/store';
import { cleanUpJob } from './clean-up.ts';
import type { JournalTables } from './journal-module.ts';
import { StoreJournal } from './store-journal.ts';

/** Whose journals they are, and what a commit of the store survives. */
export interface StoreJournalsOptions {
  /**
   * Whose streams and maps these are. Servers that share a database without sharing a broker each have
   * their own; of two with the same name the one that came first can no longer write.
   */
  readonly node: string;
  /**
   * What a commit of the store survives: `normal` for an SQLite store whose last commits get lost with
   * the power. Then streams begin anew when the machine was started again. @defaultValue 'full'
   */
  readonly synchronous?: 'full' | 'normal';
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
  { node, synchronous = 'full' }: StoreJournalsOptions,
): HubJournals {
  store.retention.add(cleanUpJob(store.dialect));
  const boot = synchronous === 'normal' ? { boot: currentBoot() } : {};
  return {
    streams: new StoreJournal(store, { name: `${node} streams`, ...boot }),
    maps: new StoreJournal(store, { name: `${node} maps`, ...boot }),
  };
}

/** Changes when the machine starts; where it cannot be told, every process counts as a start. */
function currentBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}
