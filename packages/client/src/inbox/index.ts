/**
 * A user's notifications in a page: read, followed, changed, acknowledged.
 *
 * @module
 */
export { createUserApi } from '../user-api.ts';
export type { UserApi, UserApiCall, UserApiOptions } from '../user-api.ts';
export type { Backoff } from '../live/backoff.ts';
export type { LiveStoreOptions } from '../live/live-options.ts';
export type { LiveStatus } from '../live/live-store.ts';
export * from './inbox-store.ts';
export type { InboxFilter } from './inbox-state.ts';
export { safeLink } from './safe-link.ts';
export { isWanted, mutedForGood } from './user-settings.ts';
export type {
  CategoryPreference,
  InboxEvent,
  Notification,
  NotificationTarget,
  Preferences,
  PreferencesChange,
  QuietHours,
  UnreadCounts,
  UserSettings,
} from '@holdfast/protocol/inbox';
