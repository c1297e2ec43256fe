/**
 * Durable notifications per user: stored before they are pushed, acknowledged by devices, counted,
 * escalated when nobody saw them.
 *
 * @module
 */
export type { ChangeResult } from './changes.ts';
export type {
  DeadLetter,
  DeadLetterListOptions,
  DeadLetterPage,
  DeadLetterRetry,
  DeadLetterSelection,
  DeadLetterSkip,
} from './dead-letters.ts';
export type { DeliveryState, Redelivery } from './deliveries.ts';
export * from './email-target.ts';
export * from './errors.ts';
export * from './escalation-target.ts';
export * from './events.ts';
export {
  createTradingAgentsFace,
  type TradingAgentsFaceOptions,
} from './faces/tradingagents/index.ts';
export { createInboxHandler, type InboxHandlerOptions } from './http/handler.ts';
export { inboxOpenApi } from './http/open-api.ts';
export { createInbox, type Inbox } from './inbox.ts';
export { inboxModule, type SendState } from './inbox-module.ts';
export type { SettingResult } from './mailbox.ts';
export {
  severities,
  type Notification,
  type NotificationContent,
  type Severity,
} from './notification.ts';
export * from './metrics.ts';
export type { CategoryOptions, ChannelPosition, InboxOptions } from './options.ts';
export * from './personal-channels.ts';
export type {
  CategoryDefaults,
  CategoryPreference,
  Preferences,
  PreferencesChange,
  QuietHours,
} from './preferences.ts';
export type {
  InboxSnapshot,
  ListOptions,
  NotificationPage,
  NumberedPage,
  PageOptions,
  SnapshotOptions,
  UserSettings,
} from './reader.ts';
export type { SendResult, SendStatus } from './send-rows.ts';
export type { Recipients, SendRequest } from './sends.ts';
export * from './webhook-target.ts';
