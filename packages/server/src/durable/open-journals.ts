import type { HubJournals } from '@holdfast/hub';
import { createStoreJournals, type JournalTables } from '@holdfast/journal';
import type { Store } from '@holdfast/store';

/**
 * Where the hub keeps its channels. A file has one owner, whatever the machine is called after the next
 * deploy; in a database that servers share each has what is kept under its name.
 */
export function openJournals(store: Store, nodeName: string): HubJournals {
  const node = store.dialect === 'sqlite' ? 'this server' : nodeName;
  return createStoreJournals(store.withTables<JournalTables>(), { node });
}
