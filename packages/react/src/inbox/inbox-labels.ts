import { createContext, useContext } from 'react';

/** Every word that the components say, for other languages. */
export interface InboxLabels {
  /** BCP 47, for times and numbers. @defaultValue the browser's language */
  readonly locale: string | undefined;
  readonly title: string;
  /** The bell's name. */
  readonly bell: (unread: number) => string;
  /** Said aloud when some came. */
  readonly arrived: (titles: readonly string[]) => string;
  readonly close: string;
  readonly filter: string;
  readonly all: string;
  readonly unread: string;
  readonly archive: string;
  readonly markAllRead: string;
  readonly markRead: (title: string) => string;
  readonly markUnread: (title: string) => string;
  readonly archiveOne: (title: string) => string;
  readonly unarchiveOne: (title: string) => string;
  readonly loading: string;
  readonly loadMore: string;
  readonly isUnread: string;
  readonly groupOf: (count: number) => string;
  readonly severity: Readonly<Record<'info' | 'success' | 'warning' | 'error', string>>;
  readonly empty: string;
  readonly emptyHint: string;
  readonly emptyUnread: string;
  readonly emptyUnreadHint: string;
  readonly emptyArchive: string;
  readonly emptyArchiveHint: string;
  readonly stale: string;
  readonly failed: string;
  readonly retry: string;
  readonly changeFailed: string;
}

export const defaultLabels: InboxLabels = {
  locale: undefined,
  title: 'Notifications',
  bell: (unread) => (unread === 0 ? 'Notifications' : `Notifications, ${unread} unread`),
  arrived: (titles) =>
    titles.length === 1 ? `New notification: ${titles[0]}` : `${titles.length} new notifications`,
  close: 'Close',
  filter: 'Show',
  all: 'All',
  unread: 'Unread',
  archive: 'Archive',
  markAllRead: 'Mark all read',
  markRead: (title) => `Mark as read: ${title}`,
  markUnread: (title) => `Mark as unread: ${title}`,
  archiveOne: (title) => `Archive: ${title}`,
  unarchiveOne: (title) => `Move back: ${title}`,
  loading: 'Loading notifications',
  loadMore: 'Show older',
  isUnread: 'Unread',
  groupOf: (count) => `${count} together`,
  severity: { info: 'Information', success: 'Success', warning: 'Warning', error: 'Error' },
  empty: 'Nothing here yet',
  emptyHint: 'What concerns you will appear here.',
  emptyUnread: 'You are all caught up',
  emptyUnreadHint: 'There is nothing that you have not read.',
  emptyArchive: 'The archive is empty',
  emptyArchiveHint: 'What you archive is kept here.',
  stale: 'Not connected. This is how things were last.',
  failed: 'Your notifications cannot be shown.',
  retry: 'Try again',
  changeFailed: 'That did not work, and was taken back.',
};

export const LabelsContext: ReturnType<typeof createContext<InboxLabels>> =
  createContext(defaultLabels);

export function useLabels(): InboxLabels {
  return useContext(LabelsContext);
}
