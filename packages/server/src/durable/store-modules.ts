import { inboxModule } from '@holdfast/inbox';
import { journalModule } from '@holdfast/journal';
import type { StoreModule } from '@holdfast/store';
import { taskModule } from '@holdfast/tasks';

/**
 * Everything that keeps tables in the store, whether or not the configuration has it on: a backup or
 * a move takes all of it along, and turning a feature on later needs no other migration.
 */
export const storeModules: readonly StoreModule[] = [inboxModule, taskModule, journalModule];
