/**
 * Asks the application's backend over HTTP: who connects, who may subscribe and publish, and what an
 * RPC answers (Centrifugo's "proxies"). And tells it what happens.
 *
 * @module
 */
export * from './options.ts';
export { type Hooks, type HooksContext, installHooks } from './install-hooks.ts';
export type { HooksMetrics } from './hook-endpoints.ts';
export { callOutcomes, type CallOutcome, type HookCallMetrics } from './hook-metrics.ts';
export type { HookName } from './hook-caller.ts';
export { type EventHookOptions, type EventType, eventTypes } from './events/options.ts';
export {
  type EventHookMetrics,
  type EventHooks,
  type EventHooksContext,
  installEventHooks,
} from './events/install-event-hooks.ts';
