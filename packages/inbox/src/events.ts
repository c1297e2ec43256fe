import type { Notification } from './notification.ts';
import type { Preferences } from './preferences.ts';

/** Unread notifications of a user. */
export interface UnreadCounts {
  readonly total: number;
  /** Categories that have any; of more than 200 those with the most. */
  readonly byCategory: Readonly<Record<string, number>>;
}

/** Why notifications left the list. */
export type RemovalReason =
  | 'archived'
  | 'deleted'
  | 'expired'
  | 'replaced'
  | 'recalled'
  | 'retention';

interface EventBase {
  /**
   * Counts the changes of this user's inbox, one by one. A client that holds version n applies the
   * event n + 1, ignores those up to n, and reads the snapshot again when one is missing.
   */
  readonly version: number;
  /** After this change. */
  readonly unread: UnreadCounts;
}

/** What is published in a user's channel. */
export type InboxEvent = EventBase &
  (
    | {
        readonly type: 'created';
        readonly notification: Notification;
        /** In the user's quiet hours: show it, make no sound. */
        readonly silent: boolean;
        /** The one that this one takes the place of. */
        readonly replaces: string | null;
      }
    | { readonly type: 'read'; readonly ids: readonly string[]; readonly readAt: number }
    | { readonly type: 'unread'; readonly ids: readonly string[] }
    | { readonly type: 'unarchived'; readonly notifications: readonly Notification[] }
    | {
        readonly type: 'removed';
        readonly ids: readonly string[];
        readonly reason: RemovalReason;
      }
    /** What the user wants from now on: all of it. */
    | { readonly type: 'preferences'; readonly preferences: Preferences }
    | { readonly type: 'subscribed' | 'unsubscribed'; readonly topic: string }
  );
