import { createContext, useContext } from 'react';
import type { NotificationTarget } from '@holdfast/client/inbox';

/** Every word that the components say, for other languages. */
export interface InboxLabels {
  /** BCP 47, for times and numbers. @defaultValue the browser's language */
  readonly locale: string | undefined;
  readonly title: string;
  /** The bell's name. @param written - the number as it is written in `locale` */
  readonly bell: (unread: number, written: string) => string;
  /** Said aloud when some came. @param written - how many, as it is written in `locale` */
  readonly arrived: (titles: readonly string[], written: string) => string;
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
  /** @param written - the number as it is written in `locale` */
  readonly groupOf: (count: number, written: string) => string;
  readonly severity: Readonly<Record<'info' | 'success' | 'warning' | 'error', string>>;
  readonly empty: string;
  readonly emptyHint: string;
  readonly emptyUnread: string;
  readonly emptyUnreadHint: string;
  readonly emptyArchive: string;
  readonly emptyArchiveHint: string;
  readonly stale: string;
  /** Nothing could be read yet, and it is tried again. */
  readonly unreachable: string;
  readonly failed: string;
  readonly retry: string;
  readonly changeFailed: string;
  readonly loadMoreFailed: string;
  /** Name of the settings, and of the button that leads to them. */
  readonly settings: string;
  readonly back: string;
  readonly loadingSettings: string;
  /** What is not wished otherwise for one category. */
  readonly general: string;
  readonly generalHint: string;
  readonly targets: Readonly<Record<NotificationTarget, string>>;
  readonly mute: (title: string) => string;
  readonly unmute: (title: string) => string;
  readonly muteFor: string;
  readonly muteHour: string;
  readonly muteDay: string;
  readonly muteWeek: string;
  readonly muteForGood: string;
  readonly mutedUntil: (time: string) => string;
  readonly mutedForGood: string;
  readonly quietHours: string;
  readonly quietHoursOn: string;
  readonly quietHoursHint: string;
  readonly quietFrom: string;
  readonly quietTo: string;
  readonly timeZone: (zone: string) => string;
  readonly useTimeZone: (zone: string) => string;
  readonly topics: string;
}

export const defaultLabels: InboxLabels = {
  locale: undefined,
  title: 'Notifications',
  bell: (unread, written) => (unread === 0 ? 'Notifications' : `Notifications, ${written} unread`),
  arrived: (titles, written) =>
    titles.length === 1 ? `New notification: ${titles[0]}` : `${written} new notifications`,
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
  groupOf: (_count, written) => `${written} together`,
  severity: { info: 'Information', success: 'Success', warning: 'Warning', error: 'Error' },
  empty: 'Nothing here yet',
  emptyHint: 'What concerns you will appear here.',
  emptyUnread: 'You are all caught up',
  emptyUnreadHint: 'There is nothing that you have not read.',
  emptyArchive: 'The archive is empty',
  emptyArchiveHint: 'What you archive is kept here.',
  stale: 'Not connected. This is how things were last.',
  unreachable: 'The server cannot be reached. It is tried again.',
  failed: 'Your notifications cannot be shown.',
  retry: 'Try again',
  changeFailed: 'That did not work, and was taken back.',
  loadMoreFailed: 'Older ones could not be loaded.',
  settings: 'Notification settings',
  back: 'Back to the notifications',
  loadingSettings: 'Loading settings',
  general: 'All notifications',
  generalHint: 'Unless you choose otherwise below.',
  targets: { inApp: 'In the app', email: 'E-mail', webhook: 'Elsewhere' },
  mute: (title) => `Mute: ${title}`,
  unmute: (title) => `Unmute: ${title}`,
  muteFor: 'Mute for',
  muteHour: '1 hour',
  muteDay: '1 day',
  muteWeek: '1 week',
  muteForGood: 'Until I unmute',
  mutedUntil: (time) => `Muted until ${time}`,
  mutedForGood: 'Muted',
  quietHours: 'Quiet hours',
  quietHoursOn: 'Be silent at certain hours',
  quietHoursHint: 'What comes makes no sound, and nothing is sent elsewhere.',
  quietFrom: 'From',
  quietTo: 'To',
  timeZone: (zone) => `Time zone: ${zone}`,
  useTimeZone: (zone) => `Use ${zone}`,
  topics: 'Topics',
};

export const LabelsContext: ReturnType<typeof createContext<InboxLabels>> =
  createContext(defaultLabels);

export function useLabels(): InboxLabels {
  return useContext(LabelsContext);
}
