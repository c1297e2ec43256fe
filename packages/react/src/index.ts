/**
 * React hooks over the Holdfast client.
 *
 * @module
 */
export * from './provider.tsx';
export * from './use-connection.ts';
export * from './use-history.ts';
export type { KeyedState } from './use-keyed.ts';
export * from './use-map.ts';
export * from './use-presence.ts';
export * from './use-server-channels.ts';
export * from './use-shared-poll.ts';
export { useSubscription } from './use-subscription.ts';
