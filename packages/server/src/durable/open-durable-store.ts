import { setTimeout as delay } from 'node:timers/promises';
import { openStore, type Store, StoreError, type StoreErrorCode } from '@holdfast/store';
import type { Logger } from '@holdfast/hub';
import { toStoreOptions, type Config } from '../config/index.ts';
import { StartError } from '../start-error.ts';
import { ProblemLog } from './problem-log.ts';
import { storeModules } from './store-modules.ts';

/** How long until a database that cannot be reached is tried again. */
const retryMs = 1000;

/**
 * Opens the store of the configuration and brings its tables up to date; undefined where there is
 * none. A database that cannot be reached is waited for, as long as `store.postgres.start_wait` says:
 * machines and containers start in any order.
 *
 * @param signal - ends the wait
 * @throws StartError saying why it cannot be used and what to do
 */
export async function openDurableStore(
  config: Config,
  logger: Logger,
  signal?: AbortSignal,
): Promise<Store | undefined> {
  if (!config.store.enabled) return undefined;
  const { ms: waitMs } = config.store.postgres.start_wait;
  const problems = new ProblemLog(logger);
  const deadline = performance.now() + waitMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const store = await openStore({
        ...toStoreOptions(config),
        modules: storeModules,
        onProblem: problems.warn,
      });
      if (attempt > 1) logger.info({ attempt }, 'the store can be used now; the start goes on');
      return store;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const mayCome = error.code === 'store_unreachable' && performance.now() < deadline;
      if (!mayCome || signal?.aborted === true) throw cannotOpen(error, config);
      problems.warn({
        message: `the store cannot be used yet; the start waits for it, ${waitMs / 1000} s at most`,
        cause: error,
      });
      // An abort ends it early, and the attempt after it is the last.
      await delay(retryMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
    }
  }
}

function cannotOpen(error: StoreError, config: Config): StartError {
  const message = `The store cannot be opened: ${error.message}. ${adviceOn(error, config)}`;
  return new StartError('store', message, { cause: error });
}

/** What may be due to the place of a file rather than to what is in it. */
const placeCodes: ReadonlySet<StoreErrorCode> = new Set([
  'store_misconfigured',
  'store_io',
  'store_disk_full',
]);

function adviceOn({ code }: StoreError, { store }: Config): string {
  const off =
    'To run without notifications and tasks, set store.enabled to false (HOLDFAST_STORE_ENABLED=false).';
  if (!store.url.isEmpty) return `It is the one of store.url. ${off}`;
  if (code === 'store_in_use') {
    return `Each server needs a data folder of its own (data_dir, HOLDFAST_DATA_DIR), or all of them one PostgreSQL (store.url). ${off}`;
  }
  return placeCodes.has(code)
    ? `It is a file in the data folder (data_dir, HOLDFAST_DATA_DIR), which this server must be able to write. ${off}`
    : `It is a file in the data folder (data_dir, HOLDFAST_DATA_DIR). ${off}`;
}
