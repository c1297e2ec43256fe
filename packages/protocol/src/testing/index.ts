/**
 * What property tests of the protocol's users need: arbitrary messages. Needs `fast-check`.
 *
 * @module
 */
export * from './arbitraries.ts';
