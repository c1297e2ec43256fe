/**
 * What tests of a hub need: a clock that stands still, a cluster in one process with links that can
 * be broken, and the contract suites of the ports. Needs `vitest`.
 *
 * @module
 */
export * from './fault-link.ts';
export * from './manual-clock.ts';
export * from './memory-network.ts';
