/**
 * Durable notifications per user: stored before they are pushed, acknowledged by devices, counted,
 * escalated when nobody saw them.
 *
 * @module
 */
export {
  severities,
  type CategoryDefaults,
  type CategoryPreference,
  type InboxEvent,
  type Notification,
  type NotificationTarget,
  type Preferences,
  type PreferencesChange,
  type QuietHours,
  type RemovalReason,
  type Severity,
  type UnreadCounts,
  type UserSettings,
} from '@holdfast/protocol/inbox';
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
export {
  createTradingAgentsFace,
  type TradingAgentsFaceOptions,
} from './faces/tradingagents/index.ts';
export { createInboxHandler, type InboxHandlerOptions } from './http/handler.ts';
export { inboxOpenApi } from './http/open-api.ts';
export { createInbox, type Inbox } from './inbox.ts';
export { inboxModule, type SendState } from './inbox-module.ts';
export type { SettingResult } from './mailbox.ts';
export type { NotificationContent } from './notification.ts';
export * from './metrics.ts';
export type { CategoryOptions, ChannelPosition, InboxOptions } from './options.ts';
export * from './personal-channels.ts';
export type {
  InboxSnapshot,
  ListOptions,
  NotificationPage,
  NumberedPage,
  PageOptions,
  SnapshotOptions,
} from './reader.ts';
export type { SendResult, SendStatus } from './send-rows.ts';
export type { Recipients, SendRequest } from './sends.ts';
export * from './webhook-target.ts';
