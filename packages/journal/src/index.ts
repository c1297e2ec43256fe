/**
 * The hub's channel journal on the SQL store.
 *
 * @module
 */
export * from './journal-module.ts';
export * from './store-journals.ts';
