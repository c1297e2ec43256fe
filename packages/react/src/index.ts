/**
 * React hooks over the Holdfast client.
 *
 * @module
 */
export * from './provider.tsx';
export * from './use-connection.ts';
export * from './use-history.ts';
export * from './use-presence.ts';
export * from './use-subscription.ts';
