/**
 * The live core of Holdfast.
 *
 * @module
 */
export {
  createJwksFetch,
  type HostLookup,
  type JwksFetch,
  JwksFetchError,
  type JwksFetchLimits,
  type JwksFetchOptions,
} from './auth/jwks-fetch.ts';
export * from './auth/jwt-options.ts';
export * from './auth/jwt-verifier.ts';
export * from './auth/token-option-error.ts';
export { type RefusalReason, refusalReasons, TokenRefusal } from './auth/token-refusal.ts';
export * from './auth/token-verifier.ts';
export { compileChannelPattern } from './channel-pattern.ts';
export * from './channel-options.ts';
export * from './client-options.ts';
export * from './clock.ts';
export {
  type ConnectionsPage,
  type ConnectionsQuery,
  type ConnectionSummary,
  maxDirectoryPage,
  type OnlineStatus,
} from './connection-directory.ts';
export * from './events.ts';
export * from './hub.ts';
export { createHub } from './hub-facade.ts';
export type { JournalingOptions } from './memory/journaling.ts';
export * from './memory/memory-broker.ts';
export * from './memory/memory-bus.ts';
export * from './memory/memory-exchange.ts';
export * from './memory/memory-map-broker.ts';
export * from './memory/memory-map-exchange.ts';
export * from './memory/memory-presence-store.ts';
export * from './memory/memory-revocation-store.ts';
export * from './metrics.ts';
export * from './ports/broker.ts';
export * from './ports/channel-journal.ts';
export * from './ports/map-broker.ts';
export * from './ports/node-bus.ts';
export * from './ports/presence-store.ts';
export * from './ports/revocation-store.ts';
export type { PublicationContract } from './publication-contract.ts';
export type { Dialect, DialectClient } from './transports/dialect.ts';
export { HandshakeMessage } from './transports/handshake-message.ts';
export * from './transports/http-refusal.ts';
export { type SharedPollSecrets, signTrackedKeys } from './shared-poll/track-signature.ts';
export { createRate, type Rate, TokenBucket } from './token-bucket.ts';
export { type Meter, UserMeters } from './user-meters.ts';
export {
  defaultHttpTransportsOptions,
  defaultWebSocketOptions,
  type GivenHttpTransportsOptions,
  type HttpEndpointOptions,
  type HttpTransportsOptions,
  type LongPollOptions,
  type WebSocketOptions,
} from './transport-options.ts';
