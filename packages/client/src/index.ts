/**
 * Browser and Node client of Holdfast.
 *
 * @module
 */
export {
  type Client,
  createClient,
  type History,
  type PresenceStats,
  type PublishOptions,
  type ServerChannelListeners,
} from './client.ts';
export * from './client-error.ts';
export type { BackoffOptions, ConnectionStatus } from './connection-machine.ts';
export type {
  Close,
  ConnectionHolder,
  ConnectionState,
  TransportName,
} from './connection-state.ts';
export { diagnose } from './diagnose.ts';
export type { DiagnoseOptions, Diagnosis, DiagnosisCheck } from './diagnose.ts';
export * from './environment.ts';
export * from './keyed.ts';
export type { ClientOptions, Endpoint, PublishQueueOptions } from './options.ts';
export type { Subscription, SubscriptionOptions, SubscriptionState } from './subscription.ts';
export type { ChannelOptions, ClientInfo, HistoryOptions, Position, Publication } from './wire.ts';
