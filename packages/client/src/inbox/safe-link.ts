import type { Notification } from '@holdfast/protocol/inbox';

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
