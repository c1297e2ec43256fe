/**
 * What tests of the store, and of features on it, are made of.
 *
 * @module
 */
export * from './databases.ts';
export * from './manual-clock.ts';
export * from './postgres-server.ts';
