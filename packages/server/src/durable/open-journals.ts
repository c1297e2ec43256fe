import type { HubJournals } from '@holdfast/hub';
import { createStoreJournals, type JournalTables } from '@holdfast/journal';
import type { Store } from '@holdfast/store';
import type { Config } from '../config/index.ts';

/**
 * Where the hub keeps its channels. A file has one owner, whatever the machine is called after the next
 * deploy; in a database that servers share each has what is kept under its name.
 */
export function openJournals(
  store: Store,
  { nodeName, config }: { readonly nodeName: string; readonly config: Config },
): HubJournals {
  const tables = store.withTables<JournalTables>();
  if (store.dialect !== 'sqlite') return createStoreJournals(tables, { node: nodeName });
  const { synchronous } = config.store.sqlite;
  return createStoreJournals(tables, { node: 'this server', synchronous });
}
