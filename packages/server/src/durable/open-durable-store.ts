import { openStore, type Store, StoreError } from '@holdfast/store';
import type { Logger } from '@holdfast/hub';
import { toStoreOptions, type Config } from '../config/index.ts';
import { StartError } from '../start-error.ts';
import { ProblemLog } from './problem-log.ts';
import { storeModules } from './store-modules.ts';

/**
 * Opens the store of the configuration and brings its tables up to date; undefined where there is
 * none.
 *
 * @throws StartError saying why it cannot be used and what to do
 */
export async function openDurableStore(config: Config, logger: Logger): Promise<Store | undefined> {
  if (!config.store.enabled) return undefined;
  try {
    return await openStore({
      ...toStoreOptions(config),
      modules: storeModules,
      onProblem: new ProblemLog(logger).warn,
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StartError(
      'store',
      `The store cannot be opened: ${error.message}. ${adviceOn(error, config)}`,
      {
        cause: error,
      },
    );
  }
}

function adviceOn({ code }: StoreError, { store }: Config): string {
  const off =
    'To run without notifications and tasks, set store.enabled to false (HOLDFAST_STORE_ENABLED=false).';
  if (!store.url.isEmpty) return `It is the one of store.url. ${off}`;
  return code === 'store_in_use'
    ? `Each server needs a data folder of its own (data_dir, HOLDFAST_DATA_DIR), or all of them one PostgreSQL (store.url). ${off}`
    : `It is a file in the data folder (data_dir, HOLDFAST_DATA_DIR), which this server must be able to write. ${off}`;
}
