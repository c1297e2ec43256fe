import type { Preferences } from './user-settings.ts';

/** A notification as the server tells it. All text is plain text: never interpret it. */
export interface Notification {
  /** Greater means newer. */
  readonly id: string;
  readonly category: string;
  readonly severity: 'info' | 'success' | 'warning' | 'error';
  readonly title: string;
  readonly body: string;
  /** Put it into an `href` only as {@link safeLink} gives it. */
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
  /** Categories that have any. */
  readonly byCategory: Readonly<Record<string, number>>;
}

/** What the user's channel carries; see `docs/inbox.md`. */
export type InboxEvent = {
  /** One more with each change of this user's inbox. */
  readonly version: number;
  /** After this change. */
  readonly unread: UnreadCounts;
} & (
  | {
      readonly type: 'created';
      readonly notification: Notification;
      readonly silent: boolean;
      readonly replaces: string | null;
    }
  | { readonly type: 'read'; readonly ids: readonly string[]; readonly readAt: number }
  | { readonly type: 'unread'; readonly ids: readonly string[] }
  | { readonly type: 'unarchived'; readonly notifications: readonly Notification[] }
  | { readonly type: 'removed'; readonly ids: readonly string[]; readonly reason: string }
  | { readonly type: 'preferences'; readonly preferences: Preferences }
  | { readonly type: 'subscribed' | 'unsubscribed'; readonly topic: string }
);

/**
 * A notification's link, if it leads to a page: `http:`, `https:` or a path of this application.
 * Anything else (`javascript:`, `data:`, `//other.example`) is undefined. The server refuses those
 * too; this holds whatever the server said.
 */
export function safeLink({ link }: Pick<Notification, 'link'>): string | undefined {
  // Browsers drop tabs and line breaks inside of a URL, and take '\' for '/'.
  if (link === null || /[\s\\\p{Cc}]/u.test(link)) return undefined;
  if (/^\/(?!\/)/.test(link)) return link;
  return /^https?:\/\//i.test(link) && URL.canParse(link) ? link : undefined;
}
