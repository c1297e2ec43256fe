/**
 * Browser and Node client of Holdfast.
 *
 * @module
 */
export * from './client.ts';
export * from './client-error.ts';
export { provenRetries } from './connection-machine.ts';
export type { BackoffOptions, ConnectionStatus } from './connection-machine.ts';
export * from './connection-state.ts';
export { diagnose } from './diagnose.ts';
export type { DiagnoseOptions, Diagnosis, DiagnosisCheck } from './diagnose.ts';
export * from './environment.ts';
export * from './keyed.ts';
export * from './options.ts';
export type { Subscription, SubscriptionOptions, SubscriptionState } from './subscription.ts';
export type { ChannelOptions, ClientInfo, HistoryOptions, Position, Publication } from './wire.ts';
