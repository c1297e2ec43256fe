/**
 * What a server tells of a user's notifications, and of what the user wants of them: in the answers of
 * its HTTP interface, and in the events of the user's channel. `docs/inbox.md` describes both.
 *
 * @module
 */

export const severities = ['info', 'success', 'warning', 'error'] as const;
export type Severity = (typeof severities)[number];

/** A notification as its recipient sees it. All text is plain text: never interpret it. */
export interface Notification {
  /** UUIDv7; greater means newer. */
  readonly id: string;
  readonly category: string;
  readonly severity: Severity;
  readonly title: string;
  readonly body: string;
  /** Put it into an `href` only as `safeLink` of `@holdfast/client/inbox` gives it. */
  readonly link: string | null;
  readonly source: string | null;
  readonly data: unknown;
  readonly groupKey: string | null;
  /** How many notifications this one stands for: itself and those it replaced. */
  readonly groupCount: number;
  /** Unix milliseconds, as are all times. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly readAt: number | null;
  readonly archivedAt: number | null;
}

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

/** A way that a notification can take to its user. */
export type NotificationTarget = 'inApp' | 'webhook' | 'email';

/** Where a user wants notifications of one category; absent members follow the next rule. */
export interface CategoryPreference {
  readonly inApp?: boolean;
  readonly webhook?: boolean;
  readonly email?: boolean;
  /** Nothing at all until then, in Unix milliseconds; the greatest time that there is has no end. */
  readonly mutedUntil?: number;
}

/** Daily hours in which notifications are silent and nothing leaves the application. */
export interface QuietHours {
  /** `22:00`. */
  readonly from: string;
  /** `07:00`; may be earlier than `from`, over midnight. */
  readonly to: string;
  /** IANA name, `Europe/Berlin`. */
  readonly timeZone: string;
}

/** What a user wants, as far as it differs from what counts for everybody. */
export interface Preferences {
  /** By category; `*` for all that are not named. */
  readonly categories: Readonly<Record<string, CategoryPreference>>;
  readonly quietHours: QuietHours | null;
}

/** What a user wants otherwise; what is left out stays as it is. */
export interface PreferencesChange {
  /** Members that are null follow the next rule again, and so does a category that is null. */
  readonly categories?: Readonly<
    Record<
      string,
      { readonly [Member in keyof CategoryPreference]?: CategoryPreference[Member] | null } | null
    >
  >;
  readonly quietHours?: QuietHours | null;
}

/** Where notifications of a category go. */
export type CategoryDefaults = Readonly<Record<NotificationTarget, boolean>>;

/** What a user has set, and what a screen needs to show it. */
export interface UserSettings {
  readonly preferences: Preferences;
  /** Topics that the user is subscribed to, in order of their names. */
  readonly topics: readonly string[];
  /** Where notifications go as long as the user says nothing: by category, `*` for all others. */
  readonly defaults: Readonly<Record<string, CategoryDefaults>>;
  /** Where the server can send them beside the application. */
  readonly targets: readonly Exclude<NotificationTarget, 'inApp'>[];
}

/**
 * What a user wants after a change, which the server stores and a page shows before it has. Pure, and
 * idempotent; names and values are not checked.
 */
export function preferencesWith(before: Preferences, change: PreferencesChange): Preferences {
  const categories = new Map(Object.entries(before.categories));
  for (const [name, wish] of Object.entries(change.categories ?? {})) {
    const members = Object.entries({ ...categories.get(name), ...wish });
    const kept = wish === null ? [] : members.filter(([, value]) => value !== null);
    if (kept.length === 0) categories.delete(name);
    else categories.set(name, Object.fromEntries(kept));
  }
  const { quietHours = before.quietHours } = change;
  return { categories: Object.fromEntries(categories), quietHours };
}
