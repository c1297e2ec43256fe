/**
 * The durable ground of Holdfast: one SQL database (SQLite embedded, PostgreSQL beyond one machine),
 * its migrations, and the transactional outbox.
 *
 * @module
 */
export * from './clock.ts';
export * from './commands.ts';
export * from './errors.ts';
export * from './gatherer.ts';
export * from './id-source.ts';
export { makeFolder } from './make-folder.ts';
export * from './metrics.ts';
export * from './migrations.ts';
export * from './move.ts';
export type { OutboxEvent } from './outbox.ts';
export type { DiscardedEvents, OutboxRelayOptions, PublishEvent } from './outbox-relay-options.ts';
export type { RetentionJob, RetentionState } from './retention.ts';
export type { StoreTransaction } from './session.ts';
export { openStore, type Store, type StoreOptions } from './store.ts';
export { parseStoreUrl, storeLabel, type StoreLocation } from './store-url.ts';
export { acquireOwnerLock, type OwnerLock } from './sqlite/owner-lock.ts';
export type { SqliteOptions } from './sqlite/sqlite-engine.ts';
export type { PostgresOptions } from './postgres/postgres-engine.ts';
export { insertRows, recordSet } from './insert-rows.ts';
export { inList } from './in-list.ts';
