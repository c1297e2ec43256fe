import type { Notification } from '@holdfast/protocol/inbox';

/** What the interface knows as kinds of notifications. */
export type LegacyType = 'analysis' | 'alert' | 'system';

/** A notification as the interface of TradingAgents-CN takes it, listed or pushed. */
export interface LegacyNotification {
  readonly id: string;
  readonly type: LegacyType;
  readonly title: string;
  readonly content: string;
  readonly link: string | null;
  readonly source: string | null;
  readonly status: 'unread' | 'read';
  /** ISO 8601 with an offset. */
  readonly created_at: string;
}

/** Categories that are a kind of their own, with those below them (`alert.price`); others are `system`. */
export const typedCategories = ['analysis', 'alert'] as const;

/** The interface's words for a notification; a category below a kind (`alert.price`) is of that kind. */
export function toLegacy(notification: Notification): LegacyNotification {
  const { id, category, title, body, link, source, readAt, createdAt } = notification;
  return {
    id,
    type:
      typedCategories.find((type) => category === type || category.startsWith(`${type}.`)) ??
      'system',
    title,
    content: body,
    link,
    source,
    status: readAt === null ? 'unread' : 'read',
    created_at: legacyTime(createdAt),
  };
}

/**
 * ISO 8601 with the offset written out, as Python writes it.
 * @param time - Unix milliseconds
 */
export function legacyTime(time: number): string {
  return new Date(time).toISOString().replace('Z', '+00:00');
}
