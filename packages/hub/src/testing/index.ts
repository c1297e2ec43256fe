/**
 * What tests of a hub need: a clock that stands still, a cluster in one process with links that can
 * be broken, and the contract suites of the ports. Needs `vitest` and `fast-check`.
 *
 * @module
 */
export * from './broker-testbed.ts';
export * from './describe-broker.ts';
export * from './describe-channel-journal.ts';
export * from './describe-map-broker.ts';
export * from './describe-node-bus.ts';
export * from './describe-presence-store.ts';
export * from './describe-revocation-store.ts';
export * from './fault-link.ts';
export * from './linked-nodes.ts';
export * from './manual-clock.ts';
export * from './memory-journal.ts';
export * from './memory-network.ts';
export * from './port-testbed.ts';
export * from './recorded-events.ts';
export { JwksServer, respondWith } from './jwks-server.ts';
export { forgeToken, type ForgedToken } from './token-forge.ts';
