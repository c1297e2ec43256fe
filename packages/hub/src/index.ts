/**
 * The live core of Holdfast.
 *
 * @module
 */
export * from './auth/token-verifier.ts';
export * from './clock.ts';
export * from './events.ts';
export * from './hub.ts';
export * from './metrics.ts';
export * from './options.ts';
export * from './ports/broker.ts';
export * from './ports/node-bus.ts';
export * from './ports/presence-store.ts';
