import path from 'node:path';
import type { OutboxRelayOptions, StoreOptions } from '@holdfast/store';
import type { Config } from './schema.ts';

/** Size of a page of an SQLite file. */
const pageBytes = 4_096;

/**
 * Where the store is: what `store.url` says, or a file in the data folder. May hold a password.
 * @param cwd - relative paths begin there. @defaultValue that of the process
 */
export function storeUrl({ store, data_dir: dataDir }: Config, cwd = process.cwd()): string {
  return store.url.reveal() || `sqlite:${path.resolve(cwd, dataDir, 'holdfast.db')}`;
}

/** The part of the configuration that says where the store is and how it is used. */
export function toStoreOptions(config: Config): StoreOptions {
  const { store } = config;
  return {
    url: storeUrl(config),
    transactionTimeoutMs: store.transaction_timeout.ms,
    maxWaiting: store.max_waiting,
    maxWaitMs: store.max_wait.ms,
    maxEventBytes: store.max_event_size,
    sqlite: {
      synchronous: store.sqlite.synchronous,
      lockTimeoutMs: store.sqlite.lock_timeout.ms,
      ownerWaitMs: store.sqlite.owner_wait.ms,
      maxPages: Math.ceil(store.sqlite.max_size / pageBytes),
    },
    postgres: { poolSize: store.postgres.pool_size },
  };
}

/** How events of the store are published. */
export function toOutboxOptions({
  store: { outbox },
}: Config): Pick<OutboxRelayOptions, 'publishTimeoutMs' | 'maxAgeMs' | 'maxWaiting'> {
  return {
    publishTimeoutMs: outbox.publish_timeout.ms,
    maxAgeMs: outbox.max_age.ms,
    maxWaiting: outbox.max_waiting,
  };
}
